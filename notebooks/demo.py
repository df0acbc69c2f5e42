"""Open JupyterLab on 01_first_grid.ipynb with every cell run in a live kernel: grids drawn, clicks answered.

Works on a copy in build/demo, so that the notebook in the repository stays as it is. Where there is no browser
to open (LAYERGRID_DEMO_NO_BROWSER or CI is set), the address is printed and the server runs on.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import urllib.request
import webbrowser
from pathlib import Path

import nbformat
from jupyter_client import BlockingKernelClient, find_connection_file
from jupyter_server.serverapp import list_running_servers

HERE = Path(__file__).resolve().parent
COPY = HERE.parent / "build" / "demo"
NOTEBOOK = "01_first_grid.ipynb"
START_TIMEOUT_S = 60
CELL_TIMEOUT_S = 120


def main() -> int:
    COPY.mkdir(parents=True, exist_ok=True)
    for name in (NOTEBOOK, "figure.csv"):
        shutil.copyfile(HERE / name, COPY / name)
    as_root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    # A file, not a pipe: nobody reads while the cells run, and the log is wanted if the server fails to start.
    with tempfile.TemporaryFile("w+") as log:
        command = [
            sys.executable,
            "-m",
            "jupyterlab",
            "--no-browser",
            f"--ServerApp.root_dir={COPY}",
            *as_root,
        ]
        server = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT)
        try:
            running = wait_until_serving(server)
            if running is None:
                log.seek(0)
                print(f"JupyterLab did not start; its log:\n{log.read()}", file=sys.stderr)
                return 1
            run_all_cells(running)
            address = f"{running['url']}lab/tree/{NOTEBOOK}?token={running['token']}"
            print(f"\nThe first grid is drawn at\n\n    {address}\n\nCtrl-C ends the server.", flush=True)
            if not (os.environ.get("LAYERGRID_DEMO_NO_BROWSER") or os.environ.get("CI")):
                webbrowser.open(address)
            return server.wait()
        except KeyboardInterrupt:
            return 0
        finally:
            server.terminate()
            server.wait()


def wait_until_serving(server: subprocess.Popen[bytes]) -> dict[str, str] | None:
    """What the server writes down about itself once it listens; None if it ends or takes too long."""
    pause_s = 0.2
    for _ in range(int(START_TIMEOUT_S / pause_s)):
        for running in list_running_servers():
            if running["pid"] == server.pid:
                return running
        try:
            server.wait(pause_s)
            return None
        except subprocess.TimeoutExpired:
            continue
    return None


def run_all_cells(running: dict[str, str]) -> None:
    """Run the notebook in a kernel of the server, which JupyterLab then finds running and asks for its widgets."""
    session = {"path": NOTEBOOK, "name": NOTEBOOK, "type": "notebook", "kernel": {"name": "python3"}}
    request = urllib.request.Request(
        f"{running['url']}api/sessions",
        data=json.dumps(session).encode(),
        headers={"Authorization": f"token {running['token']}", "Content-Type": "application/json"},
    )
    with urllib.request.urlopen(request, timeout=START_TIMEOUT_S) as answer:
        kernel_id = json.load(answer)["kernel"]["id"]
    client = BlockingKernelClient(connection_file=find_connection_file(kernel_id))
    client.load_connection_file()
    client.start_channels()
    try:
        client.wait_for_ready(timeout=START_TIMEOUT_S)
        path = COPY / NOTEBOOK
        notebook = nbformat.read(path, as_version=4)
        for number, cell in enumerate((c for c in notebook.cells if c.cell_type == "code"), start=1):
            cell.outputs, cell.execution_count = [], number
            reply = client.execute_interactive(
                cell.source,
                timeout=CELL_TIMEOUT_S,
                output_hook=lambda message, cell=cell: keep(cell, message),
            )
            if reply["content"]["status"] != "ok":
                print("\n".join(reply["content"].get("traceback", [])), file=sys.stderr)
                break
        nbformat.write(notebook, path)
    finally:
        client.stop_channels()


def keep(cell: nbformat.NotebookNode, message: dict) -> None:
    """Append what a cell shows to its outputs."""
    if message["msg_type"] in ("stream", "display_data", "execute_result", "error"):
        cell.outputs.append(nbformat.v4.output_from_msg(message))


if __name__ == "__main__":
    sys.exit(main())
