import gc
import json
import logging
import math
import threading
from contextvars import ContextVar, copy_context

import ipywidgets
import numpy as np
import pytest
from traitlets import TraitError

from layergrid import Cell, LayerGrid
from layergrid.page.inner import Carrier

VALUES = np.arange(6.0).reshape(2, 3)  # 2 x 3, so that a swapped axis shows
NAMES = {
    f"model.layers.{layer}.self_attn.{part}_proj.weight": layer + offset
    for layer in range(3)
    for offset, part in [(0.1, "q"), (0.2, "k")]
}


def grid(**options):
    return LayerGrid(VALUES, components=["q", "k", "v"], **options)


def page_sends(widget, **state):
    """What ipywidgets does with a state message of the page, through JSON as on the wire."""
    widget.set_state(json.loads(json.dumps(state)))


def sent_state(widget):
    return widget.get_state()


def test_its_text_says_what_it_holds_without_a_page():
    assert repr(grid()) == "LayerGrid(2 layers x 3 components)"
    titled = LayerGrid([[1.0, 2.0]], title="rms")
    assert titled._repr_mimebundle_()[0]["text/plain"] == "LayerGrid(1 layer x 2 components, 'rms')"


# The domain of the color scale.


def test_the_domain_starts_as_the_finite_extent():
    made = LayerGrid([[math.nan, 2.0, math.inf], [-math.inf, 5.0, 3.0]])
    assert (made.vmin, made.vmax) == (2.0, 5.0)


def test_the_center_starts_at_the_median():
    assert LayerGrid([[0.0, 1.0, 5.0]]).center == 1.0


def test_the_center_starts_at_zero_where_values_have_both_signs():
    assert LayerGrid([[-5.0, -1.0, 2.0]]).center == 0.0


def test_a_grid_of_no_finite_value_can_be_made():
    made = LayerGrid([[math.nan, math.inf]])
    assert (made.vmin, made.vmax) == (0.0, 1.0)


@pytest.mark.parametrize("value", [math.nan, math.inf, -math.inf])
@pytest.mark.parametrize("end", ["vmin", "vmax", "center"])
def test_a_limit_that_is_not_finite_is_refused_and_the_old_one_stays(end, value):
    made = grid(vmin=0.0, vmax=1.0, center=0.5)
    with pytest.raises(TraitError, match="finite"):
        setattr(made, end, value)
    assert (made.vmin, made.vmax, made.center) == (0.0, 1.0, 0.5)


def test_a_refused_vmin_leaves_the_old_one():
    made = grid(vmin=0.0, vmax=1.0)
    with pytest.raises(TraitError, match=r"at most vmax=1, got 2"):
        made.vmin = 2.0
    assert made.vmin == 0.0


def test_one_limit_beyond_the_extent_is_taken_with_the_other_beside_it():
    made = grid(vmin=10.0)
    assert (made.vmin, made.vmax) == (10.0, 10.0)


def test_limits_that_cross_are_refused_when_made():
    with pytest.raises(TraitError, match="vm"):
        grid(vmin=3.0, vmax=1.0)


def test_both_limits_move_past_each_other_when_set_together():
    made = grid(vmin=0.0, vmax=1.0)
    with made.hold_trait_notifications():
        made.vmin, made.vmax = 10.0, 20.0
    assert (made.vmin, made.vmax) == (10.0, 20.0)


def test_a_slider_can_be_linked_to_a_limit_both_ways():
    made = grid(vmin=0.0, vmax=5.0)
    slider = ipywidgets.FloatSlider(min=0.0, max=10.0, value=1.0)
    ipywidgets.link((slider, "value"), (made, "vmax"))
    slider.value = 7.0
    assert made.vmax == 7.0
    made.vmax = 3.0
    assert slider.value == 3.0


def test_fit_returns_to_the_extent():
    made = grid()
    made.vmin = 3.0
    made.fit()
    assert (made.vmin, made.vmax) == (0.0, 5.0)


# What is shown.


def test_every_grid_is_of_the_same_class():
    assert type(LayerGrid(VALUES)) is type(LayerGrid(VALUES)) is LayerGrid


def test_components_can_be_hidden_and_reordered():
    made = grid()
    made.components = ["v", "q"]
    assert made.components == ["v", "q"]
    assert sent_state(made)["components"] == ["v", "q"]


def test_all_components_as_they_come_travel_as_null():
    assert sent_state(grid())["components"] is None


def test_components_in_another_order_do_not_travel_as_null_though_the_layers_are_called_so():
    made = LayerGrid(np.eye(2), layers=["a", "b"], components=["b", "a"])
    made.components = ["a", "b"]
    assert sent_state(made)["components"] == ["a", "b"]


def test_an_unknown_component_is_refused_with_the_nearest_one():
    with pytest.raises(TraitError, match=r"unknown component 'attn.kk'; did you mean 'attn.k'"):
        LayerGrid(VALUES, components=["attn.q", "attn.k", "attn.v"]).components = ["attn.kk"]


def test_a_component_is_shown_once():
    with pytest.raises(TraitError, match="once"):
        grid().components = ["q", "q"]


def test_layers_stay_in_order_of_depth():
    made = LayerGrid(np.zeros((4, 1)))
    made.layers = [3, 1]
    assert made.layers == [1, 3]


def test_a_numpy_integer_names_a_layer():
    made = LayerGrid(np.zeros((4, 1)))
    made.layers = list(np.arange(2))
    assert made.layers == [0, 1]


def test_a_boolean_names_no_layer():
    with pytest.raises(TraitError, match="unknown layer True"):
        grid().layers = [True]


@pytest.mark.parametrize("levels", [1, -1, 65])
def test_a_number_of_levels_that_makes_no_sense_is_refused(levels):
    with pytest.raises(TraitError, match="levels must be"):
        grid(levels=levels)


@pytest.mark.parametrize("name", ["vmin", "vmax", "center"])
def test_a_limit_that_is_no_number_is_refused_by_its_name(name):
    with pytest.raises(TraitError, match=rf"^{name} must be finite, got nan"):
        LayerGrid([[1.0, 2.0]], **{name: math.nan})


def test_a_grid_that_could_not_be_made_leaves_no_trace():
    with pytest.raises(TypeError, match="component"):
        LayerGrid([[1.0, 2.0]], component=["q", "k"])  # what ipywidgets closes in its __del__ is not complete
    gc.collect()


def test_a_matrix_that_lies_on_its_side_is_told_from_a_wrong_number_of_labels():
    with pytest.raises(ValueError, match=r"must have shape \(layers, components\) = \(3, 2\), got \(2, 3\); pass x\.T"):
        LayerGrid(np.zeros((2, 3)), layers=range(3), components=["q", "k"])


def test_an_unknown_colormap_is_refused_with_a_suggestion():
    with pytest.raises(TraitError, match="did you mean 'viridis', 'cividis'"):
        grid(cmap="viridiss")


def test_a_colormap_of_the_cmap_package_travels_as_its_colors():
    made = grid(cmap="matlab:jet")
    assert len(made._lut) == 256 * 3
    made.cmap = "viridis"
    assert made._lut == b""


# The selection.


def test_the_first_cell_can_be_selected():
    made = grid()
    made.selection = [[0, "q"]]  # the browser sends lists
    assert made.selection == [(0, "q")]


def test_a_cell_selected_twice_is_selected_once():
    made = grid()
    made.selection = [(1, "v"), (0, "q"), (1, "v")]
    assert made.selection == [(1, "v"), (0, "q")]


def test_selected_is_a_table_in_the_order_of_choosing():
    made = LayerGrid(NAMES)
    made.selection = [(2, "attn.k"), (0, "attn.q")]
    table = made.selected
    assert list(table.columns) == ["layer", "component", "value", "parameter"]
    assert table.layer.tolist() == [2, 0]
    assert table.value.tolist() == [2.2, 0.1]
    assert table.parameter.tolist() == [
        "model.layers.2.self_attn.k_proj.weight",
        "model.layers.0.self_attn.q_proj.weight",
    ]


def test_an_empty_selection_is_an_empty_table_with_the_same_columns():
    table = grid().selected
    assert len(table) == 0
    assert list(table.columns) == ["layer", "component", "value", "parameter"]


def test_a_selection_of_an_unknown_cell_is_refused():
    made = grid()
    with pytest.raises(TraitError, match="unknown layer 7"):
        made.selection = [(7, "q")]
    assert made.selection == []


def test_a_cell_can_be_asked_for_by_its_labels():
    assert LayerGrid(NAMES).cell(1, "attn.q") == Cell(1, "attn.q", 1.1, "model.layers.1.self_attn.q_proj.weight")


@pytest.mark.parametrize(("layer", "component"), [(9, "q"), (0, "zz")])
def test_a_cell_that_is_not_there_is_a_key_error(layer, component):
    with pytest.raises(KeyError, match="unknown"):
        grid().cell(layer, component)


# Callbacks.


def click(widget, row, column):
    widget._handle_custom_msg({"kind": "click", "row": row, "column": column}, [])


def test_a_click_on_the_first_cell_reaches_the_callback():
    made = grid()
    cells = []
    made.on_click(cells.append)
    click(made, 0, 0)
    assert cells == [Cell(layer=0, component="q", value=0.0, parameter="")]


def test_a_removed_callback_is_not_called():
    made = grid()
    cells = []
    made.on_click(cells.append)
    made.on_click(cells.append, remove=True)
    click(made, 1, 2)
    assert cells == []


def test_a_selection_reaches_its_callback_from_both_sides():
    made = grid()
    heard = []
    made.on_selection(heard.append)
    made.selection = [(0, "q")]
    page_sends(made, selection=[[1, "v"]])
    assert heard == [[(0, "q")], [(1, "v")]]


def test_an_exception_in_a_callback_is_shown_and_the_others_still_run():
    made = grid()
    cells = []

    def breaks(cell):
        raise ZeroDivisionError("no such thing")

    made.on_click(breaks)
    made.on_click(cells.append)
    click(made, 0, 1)
    assert "breaks" in made._notice
    assert "ZeroDivisionError: no such thing" in made._notice
    assert len(cells) == 1


def test_an_error_goes_away_with_the_next_good_call():
    made = grid()
    answers = iter([lambda: 1 / 0, lambda: None])
    made.on_click(lambda cell: next(answers)())
    click(made, 0, 0)
    assert made._notice != ""
    click(made, 0, 0)
    assert made._notice == ""


def test_a_selection_after_a_failed_click_leaves_its_error_in_sight():
    made = grid()
    made.on_click(lambda cell: 1 / 0)
    click(made, 0, 0)
    page_sends(made, selection=[[0, "q"]])
    assert "ZeroDivisionError" in made._notice


def test_a_callback_that_cannot_be_called_is_refused():
    with pytest.raises(TypeError, match="callable, got int"):
        grid().on_click(3)


# What the page sends is not trusted.


@pytest.mark.parametrize(
    "content",
    [
        None,
        7,
        [],
        "x" * 1_000_000,
        {},
        {"kind": "open"},
        {"kind": "click"},
        {"kind": "click", "row": 2, "column": 0},
        {"kind": "click", "row": -1, "column": 0},
        {"kind": "click", "row": 0, "column": 3},
        {"kind": "click", "row": True, "column": 0},
        {"kind": "click", "row": 0.0, "column": 0},
        {"kind": "click", "row": math.nan, "column": 0},
        {"kind": "click", "row": "0", "column": 0},
        {"kind": "click", "row": 0, "column": ["x" * 1_000_000]},
    ],
)
def test_a_message_that_makes_no_sense_is_refused_with_one_short_line(content, caplog):
    made = grid()
    cells = []
    made.on_click(cells.append)
    with caplog.at_level(logging.WARNING, logger="layergrid"):
        made._handle_custom_msg(content, [])
    assert cells == []
    assert len(caplog.records) == 1
    assert len(caplog.text) < 500
    click(made, 0, 0)
    assert len(cells) == 1


@pytest.mark.parametrize(
    "state",
    [
        {"vmin": math.nan},
        {"vmin": 1e9},
        {"vmin": "low"},
        {"vmax": None},
        {"center": math.inf},
        {"scale": "cubic"},
        {"cmap": "no such map"},
        {"cmap": 4},
        {"reverse": "yes"},
        {"levels": 1.5},
        {"components": ["q", "zz"]},
        {"components": "q"},
        {"components": [["q"]]},
        {"layers": [{}]},
        {"layers": [99]},
        {"selection": [[99, "q"]]},
        {"selection": [[0]]},
        {"selection": [[{"a": 1}, "q"]]},
        {"selection": "x" * 1_000_000},
        {"selection": [[0, "q"]] * 100_001},
        {"_values": "x"},
        {"_esm": "alert(1)"},
        {"title": "other"},
        {"no_such_trait": 1},
    ],
)
def test_a_change_that_makes_no_sense_is_refused_with_one_short_line(state, caplog):
    made = grid(title="mine")
    before = made.get_state()
    with caplog.at_level(logging.WARNING, logger="layergrid"):
        made.set_state(state)
    assert made.get_state() == before
    assert len(caplog.records) == 1
    assert len(caplog.text) < 600
    page_sends(made, vmax=9.0)
    assert made.vmax == 9.0


def test_null_from_the_page_shows_all_components_and_layers_again():
    made = grid()
    made.components, made.layers = ["k"], [1]
    page_sends(made, components=None, layers=None)
    assert made.components == ["q", "k", "v"]
    assert made.layers == [0, 1]


def test_a_refused_change_is_taken_back_in_the_page(monkeypatch):
    made = grid(vmin=0.0, vmax=1.0)
    sent = []
    monkeypatch.setattr(made, "send_state", lambda key=None: sent.append(key))
    page_sends(made, vmin=3.0)
    assert ["vmin"] in sent


# Other values.


def test_update_keeps_domain_selection_and_labels():
    made = grid(vmin=1.0, vmax=2.0)
    made.selection = [(1, "k")]
    made.update(VALUES * 10)
    assert (made.vmin, made.vmax) == (1.0, 2.0)
    assert made.selection == [(1, "k")]
    assert made.cell(1, "k").value == 40.0


def test_update_fits_the_domain_when_asked_to():
    made = grid()
    made.update(VALUES * 10, refit=True)
    assert (made.vmin, made.vmax) == (0.0, 50.0)


def test_update_refuses_another_shape_and_leaves_the_old_values():
    made = grid()
    with pytest.raises(ValueError, match=r"\(2, 3\), got \(3, 2\)"):
        made.update(VALUES.T)
    assert made.cell(1, "v").value == 5.0


def test_update_takes_labelled_values_by_their_labels():
    made = grid()
    made.update(LayerGrid(VALUES[:, ::-1] * 2, components=["v", "k", "q"]).data)
    assert made.cell(0, "q").value == 0.0
    assert made.cell(0, "v").value == 4.0


def test_update_refuses_labels_of_another_model():
    with pytest.raises(ValueError, match=r"keeps the grid's components, got others: \['w'\]"):
        grid().update(LayerGrid(VALUES, components=["q", "k", "w"]).data)


def test_update_sends_values_and_shape_together(monkeypatch):
    made = grid()
    sent = []
    monkeypatch.setattr(made, "_send", lambda message, buffers=None: sent.append(message))
    made.update(VALUES.astype("f8") / 3)
    assert len(sent) == 1
    assert {"_dtype"} <= sent[0]["state"].keys()


# The values on the wire.


def test_float32_travels_bit_for_bit():
    values = np.array([[0.0, -0.0, 1e-45], [np.nan, np.inf, -np.inf]], "f4")
    made = LayerGrid(values)
    assert made._dtype == "f4"
    assert made._values == values.tobytes()


def test_float64_travels_whole_where_float32_would_lose_digits():
    made = LayerGrid([[1 / 3, 1e300]])
    assert made._dtype == "f8"
    assert np.frombuffer(made._values).tolist() == [1 / 3, 1e300]


def test_absent_cells_travel_as_bits():
    made = LayerGrid(np.ma.array(np.zeros((3, 3)), mask=np.eye(3, dtype=bool)))
    bits = np.unpackbits(np.frombuffer(made._absent, "u1"), bitorder="little")[:9]
    assert bits.reshape(3, 3).tolist() == np.eye(3).tolist()


def test_plain_labels_travel_as_a_count():
    made = LayerGrid(np.zeros((1000, 2)))
    assert (made._layers, made._components) == (1000, 2)


def test_the_kernel_holds_the_values_once():
    made = LayerGrid(np.zeros((4, 4), "f4"))
    assert made._matrix.values.base is not None
    assert np.shares_memory(made._matrix.values, np.frombuffer(made._values, "f4"))


def test_data_gives_the_labelled_values_back():
    array = grid(title="x").data
    assert array.dims == ("layer", "component")
    assert array.sel(layer=1, component="v").item() == 5.0


# Threads: messages are handled on another one while a cell runs.


def test_changes_from_two_threads_do_not_undo_each_other():
    made = LayerGrid(np.zeros((50, 50)), vmin=0.0, vmax=1.0)
    rounds = 200
    failures = []

    def page():
        try:
            for i in range(rounds):
                page_sends(made, selection=[[i % 50, "3"]])
                page_sends(made, vmin=-5.0)  # taken
                page_sends(made, vmin=math.nan)  # refused and rolled back
        except Exception as error:
            failures.append(error)

    thread = threading.Thread(target=page)
    thread.start()
    for i in range(rounds):
        made.vmax = float(i + 1)
        made.update(np.full((50, 50), float(i)))
        assert made.vmax == i + 1
    thread.join()
    assert failures == []
    assert made.selection == [((rounds - 1) % 50, "3")]
    assert (made.vmin, made.vmax) == (-5.0, float(rounds))


@pytest.mark.parametrize(
    "message", [{"method": "update", "state": {"vmin": -1.0}}, {"method": "custom", "content": {}}]
)
def test_what_a_grid_says_goes_out_in_the_context_in_which_its_page_was_last_heard(message):
    shell = ContextVar("shell", default="the cell's")
    told = {}

    class Comm(Carrier):
        def send(self, data, buffers=None):
            told[data["state"].get("title")] = shell.get()

    def page_speaks():
        shell.set("the page's")
        made.comm.receive(message)

    made = grid(insights=False)
    made.comm = Comm(0, lambda _content, _buffers: None)
    made.title = "before"
    copy_context().run(page_speaks)
    made.title = "from a cell that runs"
    answering = threading.Thread(target=setattr, args=(made, "title", "from another thread"))
    answering.start()
    answering.join()
    assert told["before"] == "the cell's"
    assert told["from a cell that runs"] == told["from another thread"] == "the page's"
