"""Grids of more than two dims: which become rows and columns, which are chosen along, and what follows the page."""

import csv
import json
import logging

import ipywidgets
import numpy as np
import pytest
import xarray
from traitlets import TraitError

from layergrid import LayerGrid
from layergrid.groups import split_label
from layergrid.scale import fitted_domain

STEPS = (0, 100, 400)
COMPONENTS = ["attn.q", "mlp.up"]
# 3 steps x 4 layers x 2 components: no two axes are of one length.
RUN = xarray.DataArray(
    np.arange(24.0).reshape(3, 4, 2),
    dims=("step", "layer", "component"),
    coords={"step": list(STEPS), "component": COMPONENTS},
)


def metrics():
    """Two metrics over steps, of their own names and units."""
    rms = RUN.assign_attrs(long_name="Root mean square", units="1")
    return xarray.Dataset({"rms": rms, "rank": (RUN + 1000).assign_attrs(long_name="Stable rank", units="")})


def experts():
    """3 layers x (attn.q, mlp.up) x (no expert, expert 0, expert 1); names say which there are."""
    values = np.arange(18.0).reshape(3, 2, 3)
    names = np.full(values.shape, "", dtype=object)
    for layer in range(3):
        names[layer, 0, 0] = f"layers.{layer}.q"
        for expert in range(2 if layer else 1):  # layer 0 has a single expert
            names[layer, 1, 1 + expert] = f"layers.{layer}.experts.{expert}.up"
    values[names == ""] = np.nan
    return xarray.DataArray(
        values,
        dims=("layer", "component", "expert"),
        coords={
            "component": COMPONENTS,
            "expert": [-1, 0, 1],
            "parameter": (("layer", "component", "expert"), names),
        },
    )


def page_sends(widget, **state):
    widget.set_state(json.loads(json.dumps(state)))


# Which dims go where.


def test_dims_that_are_neither_rows_nor_columns_are_chosen_along():
    grid = LayerGrid(metrics())
    assert grid.position == {"metric": "rms", "step": 0}
    assert (grid.layers, grid.components) == ([0, 1, 2, 3], COMPONENTS)


def test_an_array_of_more_dims_is_shown_with_names_for_its_axes():
    grid = LayerGrid(RUN.values, dims=("step", "layer", "component"), components=COMPONENTS)
    assert grid.position == {"step": 0}
    assert grid.components == COMPONENTS


def test_names_of_axes_may_come_with_labels():
    grid = LayerGrid(RUN.values, dims={"step": STEPS, "layer": None, "component": COMPONENTS})
    grid.position = {"step": 400}
    assert grid.cell(3, "mlp.up").value == 23.0


def test_an_array_of_more_dims_without_names_is_refused_with_the_way_to_name_them():
    with pytest.raises(ValueError, match=r"LayerGrid\(x, dims=\('step', 'layer', ...\)\)"):
        LayerGrid(RUN.values)


def test_any_dim_can_stand_on_either_axis():
    grid = LayerGrid(RUN, rows="step", columns="layer")
    assert grid.layers == list(STEPS)
    assert grid.components == ["0", "1", "2", "3"]
    assert grid.position == {"component": "attn.q"}
    assert grid.cell(100, "2").value == RUN.sel(step=100, layer=2, component="attn.q").item()


@pytest.mark.parametrize(
    ("options", "axes"),
    [
        ({}, ["layer", "component"]),
        ({"rows": "step", "columns": "layer"}, ["step", "layer"]),
        ({"rows": ("layer", "step")}, ["row", "component"]),
    ],
)
def test_rows_and_columns_are_called_by_their_dims(options, axes):
    grid = LayerGrid(RUN, **options)
    assert grid._axes == axes
    assert grid.figure().get_ylabel() == axes[0]


def test_experts_of_components_are_components():
    assert LayerGrid(experts())._axes == ["layer", "component"]


def test_a_table_of_two_dims_can_be_turned():
    grid = LayerGrid(RUN[0], rows="component", columns="layer")
    assert (grid.layers, grid.components) == (COMPONENTS, ["0", "1", "2", "3"])


def test_of_unnamed_dims_the_last_two_make_the_page():
    grid = LayerGrid(np.zeros((2, 3, 4)), dims=("a", "b", "c"))
    assert (len(grid.layers), len(grid.components), grid.position) == (3, 4, {"a": 0})


@pytest.mark.parametrize(
    ("options", "said"),
    [
        ({"rows": "depth"}, "rows must be one or several of the dims 'step', 'layer', 'component', got 'depth'"),
        ({"rows": "layer", "columns": ("component", "layer")}, "'layer' in both"),
        ({"columns": ()}, "columns must be one or several"),
        ({"columns": ("step", "layer", "component")}, "no dim is left for the rows"),
        ({"dims": ("a", "b", "c")}, "choose among the dims it has with rows= and columns="),
    ],
)
def test_dims_that_make_no_page_are_refused_with_the_known_ones(options, said):
    with pytest.raises(ValueError, match="dim") as error:
        LayerGrid(RUN, **options)
    assert said in str(error.value)


@pytest.mark.parametrize(
    ("dims", "said"),
    [
        (("layer", "component"), "each of the 3 axes of shape"),
        (("layer", "layer", "component"), "differ from one another"),
        ({"step": [1, 2], "layer": None, "component": None}, "'step' has 3 places, but 2 labels"),
        ({"step": [1, 1, 2], "layer": None, "component": None}, "stand twice"),
    ],
)
def test_names_that_do_not_fit_the_axes_are_refused(dims, said):
    with pytest.raises(ValueError, match=said):
        LayerGrid(RUN.values, dims=dims)


def test_a_single_name_is_no_name_for_each_axis():
    with pytest.raises(TypeError, match="a name for each axis"):
        LayerGrid(RUN.values, dims="step")


def test_a_dim_of_dates_is_chosen_along_by_their_text():
    days = np.array(["2026-01-01", "2026-01-02", "2026-01-03"], "datetime64[ns]")
    grid = LayerGrid(RUN.assign_coords(step=days))
    assert str(grid.position["step"]).startswith("2026-01-01")


def test_a_dataset_with_a_dim_called_metric_is_refused():
    with pytest.raises(ValueError, match="has a dim 'metric'"):
        LayerGrid(RUN.rename(step="metric").to_dataset(name="rms"))


def test_metrics_side_by_side_make_the_columns():
    grid = LayerGrid(metrics().isel(step=0), rows="layer", columns=("metric", "component"))
    assert grid.components == ["rms[attn.q]", "rms[mlp.up]", "rank[attn.q]", "rank[mlp.up]"]
    assert grid.cell(1, "rank[attn.q]").value == 1002.0
    assert grid.title == ""


# Nested columns, and data that is not there.


def test_experts_stand_within_their_component_and_only_those_there_are():
    grid = LayerGrid(experts())
    assert grid.components == ["attn.q", "mlp.up[0]", "mlp.up[1]"]
    assert grid.cell(2, "mlp.up[1]").parameter == "layers.2.experts.1.up"
    assert grid.position == {}


def test_an_expert_that_one_layer_lacks_is_absent_there():
    grid = LayerGrid(experts())
    bits = np.unpackbits(np.frombuffer(grid._absent, "u1"), bitorder="little")[:9].reshape(3, 3)
    assert bits.tolist() == [[0, 0, 1], [0, 0, 0], [0, 0, 0]]


def test_a_nested_cell_is_selected_by_layer_and_component():
    grid = LayerGrid(experts())
    grid.selection = [(2, "mlp.up[1]")]
    assert grid.selected.parameter.tolist() == ["layers.2.experts.1.up"]


@pytest.mark.parametrize(
    ("label", "split"),
    [
        ("mlp.up[3]", ("mlp.up", "3")),
        ("a[b][c]", ("a[b]", "c")),
        ("attn.q", ("attn", "q")),
        *((flat, ("", flat)) for flat in ("norm", "[3]", "x[]", "x]", "x[3", ".x")),
    ],
)
def test_the_group_of_a_nested_component_is_the_one_it_stands_in(label, split):
    assert split_label(label) == split


def test_what_belongs_to_no_expert_stands_first():
    data = experts()
    data[0, 1, 0] = 5.0  # the first layer is dense
    assert LayerGrid(data).components == ["attn.q", "mlp.up", "mlp.up[0]", "mlp.up[1]"]
    assert LayerGrid(data).cell(0, "mlp.up").value == 5.0


def test_without_names_a_nested_column_that_is_nowhere_a_number_is_left_out():
    grid = LayerGrid(experts().drop_vars("parameter"))
    assert grid.components == ["attn.q", "mlp.up[0]", "mlp.up[1]"]


def test_a_nested_column_with_a_value_is_kept_though_no_name_is_known_for_it():
    data = experts()
    data[0, 0, 2] = 7.0
    assert LayerGrid(data).components == ["attn.q", "attn.q[1]", "mlp.up[0]", "mlp.up[1]"]


def test_masked_cells_of_an_array_are_absent_on_their_page():
    mask = np.zeros(RUN.shape, bool)
    mask[1, 2, 0] = True
    grid = LayerGrid(np.ma.array(RUN.values, mask=mask), dims=RUN.dims)
    assert grid._matrix.absent is None
    grid.position = {"step": 1}
    assert np.argwhere(grid._matrix.absent).tolist() == [[2, 0]]


def test_stacks_of_different_depth_are_pages_of_one_grid():
    names = np.array([[["enc.0", "enc.0.m"], ["enc.1", "enc.1.m"]], [["dec.0", "dec.0.m"], ["", ""]]], dtype=object)
    values = np.where(names == "", np.nan, 1.0)
    data = xarray.DataArray(
        values,
        dims=("stack", "layer", "component"),
        coords={
            "stack": ["encoder", "decoder"],
            "component": COMPONENTS,
            "parameter": (("stack", "layer", "component"), names),
        },
    )
    grid = LayerGrid(data)
    assert grid.cell(1, "attn.q").parameter == "enc.1"
    grid.position = {"stack": "decoder"}
    assert grid.cell(0, "attn.q").parameter == "dec.0"
    assert grid._matrix.absent.tolist() == [[False, False], [True, True]]
    assert grid._parameters["of"] == [0, 1]


def test_a_nested_row_is_labelled_as_a_nested_column_is():
    assert LayerGrid(RUN, rows=("layer", "step")).layers[:4] == ["0[0]", "0[100]", "0[400]", "1[0]"]


# The position.


def test_turning_the_page_changes_every_value():
    grid = LayerGrid(RUN)
    grid.position = {"step": 400}
    assert grid.cell(0, "attn.q").value == 16.0
    grid.selection = [(0, "mlp.up")]
    assert grid.selected.value.tolist() == [17.0]
    assert grid.data.sel(layer=3, component="mlp.up").item() == 23.0
    assert grid.data.step.item() == 400


def test_dims_left_out_of_a_position_stay_where_they_are():
    grid = LayerGrid(metrics())
    grid.position = {"step": 400}
    grid.position = {"metric": "rank"}
    assert grid.position == {"metric": "rank", "step": 400}


@pytest.mark.parametrize(
    ("position", "said"),
    [
        ({"stpe": 400}, "unknown dim 'stpe' of a position; this grid has 'metric', 'step'"),
        ({"step": 401}, r"unknown step 401; did you mean '400'\? This grid has \[0, 100, 400\]"),
        ({"metric": "rmss"}, r"unknown metric 'rmss'; did you mean 'rms'\?"),
        ({"step": [400]}, "unknown step"),
        ({"step": True}, "unknown step True"),
    ],
)
def test_a_position_that_is_not_there_is_refused_with_the_known_ones(position, said):
    grid = LayerGrid(metrics())
    with pytest.raises(TraitError, match=said):
        grid.position = position
    assert grid.position == {"metric": "rms", "step": 0}


def test_a_grid_of_one_page_says_that_there_is_nothing_to_choose():
    with pytest.raises(TraitError, match="this grid has one page"):
        LayerGrid([[1.0]]).position = {"step": 1}


def test_a_numpy_label_and_a_float_that_equals_it_name_the_same_page():
    grid = LayerGrid(RUN)
    grid.position = {"step": np.int64(100)}
    assert grid.position == {"step": 100}
    grid.position = {"step": 400.0}
    assert type(grid.position["step"]) is int


def test_a_position_can_be_observed_and_linked():
    one, other = LayerGrid(RUN), LayerGrid(RUN * 2)
    heard = []
    one.observe(lambda change: heard.append((change["new"], one.cell(0, "attn.q").value)), "position")
    ipywidgets.link((one, "position"), (other, "position"))
    other.position = {"step": 100}
    assert heard == [({"step": 100}, 8.0)]
    assert one.position == {"step": 100}


def test_the_page_of_the_notebook_turns_the_page_and_is_checked(caplog):
    grid = LayerGrid(RUN)
    page_sends(grid, position={"step": 100}, vmin=8.0, vmax=15.0, center=11.5, _fitted=True)
    assert grid.cell(0, "attn.q").value == 8.0
    for nonsense in ({"step": 9}, {"other": 1}, {"step": {}}, [], "step", None, 4):
        with caplog.at_level(logging.WARNING, logger="layergrid"):
            caplog.clear()
            page_sends(grid, position=nonsense)
        assert grid.position == {"step": 100}, nonsense
        assert len(caplog.records) == 1


# The domain.


def test_a_domain_that_fits_follows_the_page():
    grid = LayerGrid(RUN)
    assert (grid.vmin, grid.vmax) == (0.0, 7.0)
    grid.position = {"step": 100}
    assert (grid.vmin, grid.vmax, grid.center) == (8.0, 15.0, 11.5)


def test_a_domain_set_by_hand_stays():
    grid = LayerGrid(RUN)
    grid.vmax = 30.0
    grid.position = {"step": 400}
    assert (grid.vmin, grid.vmax) == (0.0, 30.0)


def test_a_domain_given_when_made_is_set_by_hand():
    grid = LayerGrid(RUN, vmax=30.0)
    grid.position = {"step": 400}
    assert grid.vmax == 30.0


def test_fit_lets_the_domain_follow_again():
    grid = LayerGrid(RUN)
    grid.vmax = 30.0
    grid.fit()
    grid.position = {"step": 100}
    assert grid.vmax == 15.0


def test_a_domain_that_the_page_says_fits_follows_and_one_it_sets_by_hand_stays():
    grid = LayerGrid(RUN)
    page_sends(grid, vmax=30.0, _fitted=False)
    grid.position = {"step": 100}
    assert grid.vmax == 30.0
    page_sends(grid, vmin=8.0, vmax=15.0, center=11.5, _fitted=True)
    grid.position = {"step": 400}
    assert (grid.vmin, grid.vmax) == (16.0, 23.0)


def test_a_limit_set_in_a_callback_of_the_position_is_set_by_hand():
    grid = LayerGrid(RUN)
    grid.observe(lambda _change: setattr(grid, "vmax", 99.0), "position")
    page_sends(grid, position={"step": 100})
    grid.unobserve_all("position")
    assert not grid._fitted


def test_over_all_pages_the_domain_fits_every_page_of_the_metric_and_no_other():
    grid = LayerGrid(metrics(), scale_over="all")
    assert (grid.vmin, grid.vmax) == (0.0, 23.0)
    grid.position = {"step": 400}
    assert (grid.vmin, grid.vmax) == (0.0, 23.0)
    grid.position = {"metric": "rank"}
    assert (grid.vmin, grid.vmax) == (1000.0, 1023.0)


def test_changing_what_the_scale_is_over_fits_it_anew_unless_it_was_set_by_hand():
    grid = LayerGrid(RUN)
    grid.scale_over = "all"
    assert grid.vmax == 23.0
    grid.vmax = 50.0
    grid.scale_over = "page"
    assert grid.vmax == 50.0


def test_the_domain_of_several_arrays_is_that_of_them_together():
    arrays = [np.array([[1.0, np.nan]]), np.array([[np.inf, 2.0]]), np.array([[9.0, 3.0]])]
    assert fitted_domain(arrays, 3) == (1.0, 9.0, 2.5)
    assert fitted_domain([np.array([[np.nan]])] * 2, 2) == (0.0, 1.0, 0.5)


# Titles, other values, files.


def test_title_and_units_follow_the_metric_until_they_are_set():
    grid = LayerGrid(metrics())
    assert (grid.title, grid.units) == ("Root mean square", "1")
    grid.position = {"metric": "rank"}
    assert (grid.title, grid.units) == ("Stable rank", "")
    grid.title = "mine"
    grid.position = {"metric": "rms"}
    assert (grid.title, grid.units) == ("mine", "1")


def test_update_with_all_dims_changes_all_pages():
    grid = LayerGrid(RUN)
    grid.position = {"step": 100}
    grid.update(RUN * 10)
    assert grid.cell(0, "attn.q").value == 80.0
    grid.position = {"step": 0}
    assert grid.cell(3, "mlp.up").value == 70.0


def test_update_with_one_page_changes_the_shown_one():
    grid = LayerGrid(RUN.values, dims=RUN.dims)
    grid.position = {"step": 1}
    grid.update(np.full((4, 2), -1.0), refit=True)
    assert (grid.cell(0, "0").value, grid.vmin) == (-1.0, -1.0)
    grid.position = {"step": 2}
    assert grid.cell(0, "0").value == 16.0


@pytest.mark.parametrize(
    "other",
    [RUN.assign_coords(step=[0, 100, 500]), RUN.rename(step="epoch"), RUN[:2], RUN.expand_dims(seed=2)],
    ids=["labels", "name", "fewer", "more"],
)
def test_update_with_other_dims_is_refused_and_changes_nothing(other):
    grid = LayerGrid(RUN)
    with pytest.raises(ValueError, match="update keeps the grid's dims"):
        grid.update(other)
    assert grid.cell(0, "attn.q").value == 0.0


def test_a_table_says_which_page_it_is_of(tmp_path):
    grid = LayerGrid(metrics())
    grid.position = {"step": 400, "metric": "rank"}
    with grid.save(tmp_path / "page.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {
        "layer": "0",
        "component": "attn.q",
        "value": "1016.0",
        "status": "",
        "parameter": "",
        "metric": "rank",
        "step": "400",
    }


def test_a_figure_says_which_page_it_is_of():
    grid = LayerGrid(metrics())
    grid.position = {"step": 400}
    assert grid.figure().get_title(loc="left") == "Root mean square, step 400"


def test_a_saved_page_says_what_rows_and_columns_are(tmp_path):
    text = LayerGrid(RUN, rows="step").save(tmp_path / "page.html").read_text()
    state = json.loads(text.split('id="layergrid-state">')[1].split("</script>")[0])
    assert state["_axes"] == ["step", "component"]


# What travels.


def test_all_pages_travel_where_they_are_few():
    grid = LayerGrid(RUN)
    assert grid._held == -1
    assert np.frombuffer(grid._values, grid._dtype).tolist() == list(range(24))


def test_a_grid_of_two_dims_carries_nothing_of_pages():
    state = LayerGrid([[1.0, 2.0]]).get_state()
    assert (state["position"], state["_selectors"], state["_held"]) == ({}, [], 0)


def test_one_page_that_needs_float64_makes_all_of_them_so():
    values = RUN.values.copy()
    values[2, 0, 0] = 1 / 3
    grid = LayerGrid(values, dims=RUN.dims)
    assert (grid._dtype, len(grid._values)) == ("f8", 24 * 8)


def test_the_position_goes_out_together_with_the_domain(monkeypatch):
    grid = LayerGrid(RUN)
    sent = []
    monkeypatch.setattr(grid, "_send", lambda message, buffers=None: sent.append(set(message["state"])))
    grid.position = {"step": 100}
    assert sent == [{"position", "vmin", "vmax", "center"}]
