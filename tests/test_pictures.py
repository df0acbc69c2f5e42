"""The still picture and the exported files."""

import base64
import csv
import hashlib
import io
import json
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from PIL import Image

from layergrid import LayerGrid, colormaps
from layergrid.pictures.colorbar import compact_number, value_ticks
from layergrid.pictures.export import html_page
from layergrid.pictures.glyphs import shortened, text_picture, text_width
from layergrid.pictures.png import palette_png
from layergrid.pictures.still import still_png

HOSTILE = [
    "</script><script>alert(1)</script>",
    "a\u2028b\u2029c",
    "\u202eright to left",
    "x" * 10_000,
    "\U0001f600",
    "lone \ud800 surrogate",
    "=HYPERLINK(1)",
]
PARTS = ["attn.q", "attn.k", "mlp.up", "mlp.down"]


def decoded(png):
    """Pixels of a PNG as RGB, by another implementation."""
    with Image.open(io.BytesIO(png)) as picture:
        return np.asarray(picture.convert("RGB"))


def still(grid):
    return still_png(grid._matrix, grid._view())


def has_color(pixels, color):
    return bool((pixels == np.asarray(color)).all(axis=-1).any())


def figure_grid(**options):
    rng = np.random.default_rng(7)
    return LayerGrid(rng.normal(size=(28, 4)), components=PARTS, title="Effective rank ratio", **options)


def test_a_palette_picture_reads_back_pixel_by_pixel():
    indices = np.arange(12, dtype=np.uint8).reshape(3, 4)
    palette = np.arange(36, dtype=np.uint8).reshape(12, 3)
    np.testing.assert_array_equal(decoded(palette_png(indices, palette)), palette[indices])


def test_the_still_picture_shows_the_cells_in_their_colors():
    grid = LayerGrid([[0.0, 1.0]], vmin=0.0, vmax=1.0, cmap="viridis")
    pixels = decoded(still(grid))
    assert has_color(pixels, colormaps.lut("viridis")[0])
    assert has_color(pixels, colormaps.lut("viridis")[-1])


def test_the_first_layer_is_drawn_below_and_above_on_request():
    low_first = [[0.0], [1.0]]
    below = decoded(still(LayerGrid(low_first, cmap="viridis")))[:, :120]
    above = decoded(still(LayerGrid(low_first, cmap="viridis", origin="upper")))[:, :120]
    low, high = colormaps.lut("viridis")[[0, -1]]
    first = lambda pixels, color: int(np.argwhere((pixels == color).all(axis=-1))[0, 0])  # noqa: E731
    assert first(below, high) < first(below, low)
    assert first(above, low) < first(above, high)


def test_special_values_have_five_looks_in_the_still_picture():
    values = np.ma.array([[np.nan, np.inf, -np.inf, 5.0, -5.0, 0.5, 0.0, 1.0]], mask=[[0, 0, 0, 0, 0, 0, 0, 1]])
    pixels = decoded(still(LayerGrid(values, vmin=0.0, vmax=1.0)))
    table = colormaps.lut(colormaps.DEFAULT)
    for color in [(150, 150, 150), (214, 39, 140), (0, 128, 110), *colormaps.off_scale(table[[0, -1]])]:
        assert has_color(pixels, color)


def test_a_still_picture_of_the_usual_size_is_small():
    assert len(still(figure_grid())) < 60_000


@pytest.mark.parametrize("shape", [(1, 1), (1, 400), (400, 1), (2, 7), (126, 9), (1200, 1300), (13, 997)])
@pytest.mark.parametrize("scale", ["linear", "log", "symlog", "quantile"])
def test_a_still_picture_is_made_of_any_shape_on_any_scale(shape, scale):
    values = np.random.default_rng(1).normal(size=shape)
    assert decoded(still(LayerGrid(values, scale=scale))).shape[1] == 620


def test_a_block_with_one_nan_shows_it():
    values = np.zeros((2000, 3))
    values[1234, 1] = np.nan
    assert has_color(decoded(still(LayerGrid(values))), (150, 150, 150))


@pytest.mark.parametrize(("rows", "cmap"), [(12, "viridis"), (80, "viridis"), (80, "blue-white-orange")])
def test_a_zero_is_dotted_in_large_and_small_cells_on_dark_and_light_colors(rows, cmap):
    def around_the_zero(value):
        values = np.ones((rows, 7))
        values[rows // 2, 3] = value
        return decoded(still(LayerGrid(values, vmin=0.0, vmax=2.0, center=0.0, cmap=cmap)))[40:300, 60:500]

    zero, tiny = around_the_zero(0.0), around_the_zero(1e-30)
    differ = np.argwhere((zero != tiny).any(axis=-1))
    assert len(differ) == (9 if rows == 12 else 1)
    contrast = np.abs(zero.astype(int) - tiny)[tuple(differ[0])]
    assert contrast.max() > 100


def test_a_view_without_the_absent_cells_says_nothing_of_them():
    part = np.ma.array([[1.0, 2.0]], mask=[[False, True]])
    grid = LayerGrid(part, components=["a", "b"], vmin=0.0, vmax=3.0)
    grid.components = ["a"]
    alone = LayerGrid([[1.0]], components=["a"], vmin=0.0, vmax=3.0, center=grid.center)
    np.testing.assert_array_equal(decoded(still(grid)), decoded(still(alone)))


def test_a_grid_without_finite_values_still_has_a_picture():
    assert has_color(decoded(still(LayerGrid(np.full((3, 3), np.nan)))), (150, 150, 150))


def test_hidden_components_are_not_in_the_picture():
    grid = LayerGrid([[0.0, 1.0]], vmin=0.0, vmax=2.0, cmap="viridis", components=["a", "b"])
    grid.components = ["b"]
    cells = decoded(still(grid))[40:60, 40:100]
    assert not has_color(cells, colormaps.lut("viridis")[0])


@pytest.mark.parametrize("text", HOSTILE)
def test_any_text_can_be_written_into_a_picture(text):
    assert text_picture(text[:50]).shape[1] == text_width(text[:50])
    assert text_width(shortened(text, 80)) <= 80


def test_the_picture_goes_with_the_widget_and_can_be_left_out():
    data, _ = figure_grid()._repr_mimebundle_()
    assert data["image/png"].startswith("iVBOR")
    assert "image/png" not in figure_grid(still=False)._repr_mimebundle_()[0]


# The table.


def table(grid, tmp_path):
    text = grid.save(tmp_path / "grid.csv").read_bytes().decode()
    return list(csv.DictReader(io.StringIO(text, newline="")))


def test_a_table_tells_special_values_apart_and_reads_back_exactly(tmp_path):
    values = np.ma.array([[1 / 3, np.nan, np.inf], [-np.inf, 0.0, 9.0]], mask=[[0, 0, 0], [0, 0, 1]])
    rows = table(LayerGrid(values, components=["a", "b", "c"]), tmp_path)
    assert [row["status"] for row in rows] == ["", "nan", "+inf", "-inf", "", "absent"]
    assert float(rows[0]["value"]) == 1 / 3
    assert rows[0]["layer"] == "0"
    assert rows[0]["component"] == "a"


@pytest.mark.parametrize("label", ["=1+1", "+1", "-1", "@x", "\tx", "\rx"])
def test_no_label_becomes_a_formula(label, tmp_path):
    rows = table(LayerGrid([[1.0, -2.0]], components=[label, "b"]), tmp_path)
    assert rows[0]["component"] == f"'{label}"
    assert rows[1]["value"] == "-2.0"


# Figures.


@pytest.mark.parametrize("ending", ["png", "svg", "pdf"])
def test_a_figure_is_written_by_its_ending(ending, tmp_path):
    assert figure_grid(units="ratio").save(tmp_path / f"grid.{ending}").stat().st_size > 1000


def test_a_figure_can_be_drawn_into_given_axes():
    from matplotlib.figure import Figure

    ax = Figure().add_subplot()
    assert figure_grid(origin="upper").figure(ax) is ax
    assert [label.get_text() for label in ax.get_xticklabels()] == PARTS
    assert ax.get_title(loc="left") == "Effective rank ratio"
    assert ax.yaxis_inverted()


def test_a_figure_has_the_colors_of_the_page():
    ax = LayerGrid([[0.0, 1.0]], cmap="viridis").figure()
    colors = np.asarray(ax.collections[0].get_array()).reshape(-1, 4)
    np.testing.assert_allclose(colors[[0, -1], :3] * 255, colormaps.lut("viridis")[[0, -1]])


@pytest.mark.parametrize("scale", ["log", "symlog", "quantile"])
def test_a_figure_is_drawn_on_every_scale_with_special_values(scale, tmp_path):
    values = np.ma.array([[np.nan, np.inf, -np.inf, -1.0, 2.0, 30.0]], mask=[[0, 0, 0, 0, 0, 1]])
    assert LayerGrid(values, scale=scale).save(tmp_path / "x.png").exists()


def test_a_figure_names_what_the_color_bar_does_not_tell_and_marks_zeros():
    values = np.ma.array([[np.nan, np.inf, -np.inf, -9.0, 9.0, 0.0, 0.5, 1.0]], mask=[[0] * 7 + [1]])
    ax = LayerGrid(values, vmin=0.0, vmax=1.0).figure()
    said = [text.get_text() for text in ax.get_legend().get_texts()]
    assert said == [
        "below 0 (1)",
        "above 1 (1)",
        "NaN (1)",
        "+\u221e (1)",
        "\u2212\u221e (1)",
        "absent (1)",
        "zero (1)",
    ]
    (dots,) = ax.lines
    assert dots.get_xdata().tolist() == [5]
    assert LayerGrid([[0.5, 1.0]]).figure().get_legend() is None


def test_hostile_text_is_text_in_an_svg(tmp_path):
    grid = LayerGrid(np.ones((1, len(HOSTILE))), components=HOSTILE, title="<b>&", units="</svg>")
    path = grid.save(tmp_path / "x.svg")
    root = ElementTree.parse(path).getroot()
    assert not [element for element in root.iter() if element.tag.endswith("script")]


def test_another_ending_is_refused_with_the_known_ones(tmp_path):
    with pytest.raises(ValueError, match=r"cannot save to 'x.docx'; the endings are .html"):
        figure_grid().save(tmp_path / "x.docx")


# The page.


def state_in(page):
    return json.loads(re.search(r'id="layergrid-state">(.*?)</script>', page, re.DOTALL).group(1))


def test_a_page_holds_the_state_and_is_small(tmp_path):
    path = figure_grid().save(tmp_path / "grid.html")
    assert path.stat().st_size < 250_000
    state = state_in(path.read_text())
    assert state["title"] == "Effective rank ratio"
    assert not {"_esm", "_picture_code", "_surroundings_code"} & state.keys()


@pytest.mark.parametrize("text", HOSTILE)
def test_no_text_leaves_its_place_in_a_page(text):
    page = html_page({"title": text, "_components": [text]}, ["export default 1"], text)
    assert page.isascii()
    assert page.count("<script") == 2
    assert state_in(page)["title"] == text


def test_a_page_lets_only_its_own_scripts_run():
    page = html_page({}, ["first()", "second()"], "t")
    policy = re.search(r'Security-Policy" content="([^"]+)"', page).group(1)
    hashes = [base64.b64encode(hashlib.sha256(code).digest()).decode() for code in (b"first()", b"second()")]
    assert policy.startswith(f"default-src 'none'; script-src 'sha256-{hashes[0]}' 'sha256-{hashes[1]}';")
    assert page.index("first()") < page.index("second()")
    assert "unsafe-eval" not in policy


def test_a_bundle_that_would_end_its_script_is_refused():
    with pytest.raises(ValueError, match="end it early"):
        html_page({}, ["1", "'</script>'"], "t")


# Ticks.


def test_ticks_are_round_values_within_the_domain():
    view = LayerGrid([[0.1118, 0.1665]])._view()
    ticks, shares = value_ticks(view, np.array([[0.1118, 0.1665]]), 6)
    assert ticks == [0.12, 0.13, 0.14, 0.15, 0.16]
    assert all(0 <= share <= 1 for share in shares)
    assert [compact_number(tick, ticks) for tick in ticks] == ["0.12", "0.13", "0.14", "0.15", "0.16"]


@pytest.mark.parametrize(
    ("value", "among", "text"),
    [(0.0, [0.0, 1.0], "0"), (-2.0, [-2.0, 0.0, 2.0], "−2"), (1e7, [1e7, 2e7], "1e+07"), (1.5, [1.5], "1.5")],
)
def test_a_tick_is_short(value, among, text):
    assert compact_number(value, among) == text


def test_a_log_scale_within_a_decade_has_ticks():
    grid = LayerGrid([[2.0, 6.0]], scale="log")
    assert len(value_ticks(grid._view(), grid._matrix.values, 5)[0]) >= 3
