"""layergrid in the side-by-side harness that measures heatmap widgets in JupyterLab (see ../README.md)."""

from IPython.display import display

from layergrid import LayerGrid

LABEL = "layergrid"
PACKAGES = ["layergrid"]
PROBE = {"kind": "canvas", "sel": "canvas.layergrid-cells", "deep": False}
TARGET = "canvas.layergrid-cells"
TOOLTIP = {"sel": ".layergrid-tooltip"}
# What a user would do: write numbers into the fields of the center and the high limit.
FRONTEND_JS = (
    "for (const [end, value] of [['center', v / 2], ['high', v]]) {"
    " const field = root.querySelector(`input.layergrid-number[data-end=${end}]`);"
    " field.value = String(value); field.dispatchEvent(new Event('change', {bubbles: true})); }"
)


def show(z, vmin, vmax):
    grid = LayerGrid(z, vmin=vmin, vmax=vmax)
    display(grid)
    return grid


def recolor(grid, vmin, vmax):
    with grid.hold_trait_notifications():  # both limits move, whichever way
        grid.vmin = vmin
        grid.vmax = vmax


def update(grid, z):
    grid.update(z)


def on_click(grid, ack):
    grid.on_click(lambda cell: ack())
