"""The selection goes to the clipboard in the format that is chosen, without the kernel's help."""

from playwright.sync_api import expect

from .patience import eventually

MODEL = """
import layergrid as lg
parts = ["self_attn.q_proj", "self_attn.k_proj", "mlp.up_proj"]
names = [f"model.layers.{layer}.{part}.weight" for layer in range(12) for part in parts]
grid = lg.LayerGrid(dict(zip(names, range(36))))
grid.selection = [(layer, "attn.k") for layer in range(8, 12)]
grid
"""


def test_a_selection_is_copied_as_names_and_as_a_pattern_after_the_kernel_has_gone(open_notebook):
    notebook = open_notebook(MODEL)
    page = notebook.page
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    notebook.run(0)
    grid = notebook.grid(0).wait_until_drawn()
    notebook.shut_down_kernel()
    tools = grid.root.locator(".layergrid-tools").first
    formats = tools.get_by_label("Format of what is copied")

    def clipboard() -> str:
        text = page.evaluate("navigator.clipboard.readText()")
        assert text != "", "nothing is copied"
        return text

    copied = {}
    for format in ("names", "regex", "PEFT"):
        page.evaluate("navigator.clipboard.writeText('')")
        formats.select_option(format)
        tools.get_by_role("button", name="copy").click()
        copied[format] = eventually(clipboard)
    expect(grid.root.get_by_role("alert")).to_have_text("Copied.", use_inner_text=True)
    assert copied == {
        "names": "\n".join(f"model.layers.{layer}.self_attn.k_proj.weight" for layer in range(8, 12)),
        "regex": r"^model\.layers\.(?:[89]|1[01])\.self_attn\.k_proj$",
        "PEFT": '{"target_modules":"model\\\\.layers\\\\.(?:[89]|1[01])\\\\.self_attn\\\\.k_proj"}',
    }
    notebook.screenshot("copy")
