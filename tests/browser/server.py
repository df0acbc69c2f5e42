"""A Jupyter server of one's own: empty configuration, a free port, a folder for its notebooks."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

START_TIMEOUT_S = 90

# `window.jupyterapp` runs commands; no news, no update checks and no extension catalogue, which all ask the network.
_FLAGS = {
    "jupyterlab": [
        "--LabApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ],
    "notebook": [
        "--JupyterNotebookApp.expose_app_in_browser=True",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        "--LabApp.extension_manager=readonly",
    ],
}
_DISABLED = ["@jupyterlab/apputils-extension:announcements"]
# Widget state is saved on request only, by default; one journey saves it.
_SETTINGS = {"@jupyter-widgets/jupyterlab-manager/plugin.jupyterlab-settings": {"saveState": True}}


@dataclass(frozen=True)
class JupyterServer:
    """A running server: where it is, and where its notebooks lie."""

    kind: str
    url: str
    token: str
    folder: Path
    settings: Path

    def forget_theme(self) -> None:
        """Back to the light theme: a choice of theme is kept in the settings, beyond its page."""
        (self.settings / "@jupyterlab/apputils-extension/themes.jupyterlab-settings").unlink(missing_ok=True)

    def page_url(self, notebook: str) -> str:
        """Address of a notebook in a window of its own, in a fresh workspace."""
        if self.kind == "notebook":
            return f"{self.url}/notebooks/{notebook}?token={self.token}"
        return f"{self.url}/lab/workspaces/{Path(notebook).stem}/tree/{notebook}?token={self.token}&reset"

    def api(self, method: str, path: str) -> object:
        """One request to the REST interface; None where the answer has no body."""
        request = urllib.request.Request(
            self.url + path, method=method, headers={"Authorization": f"token {self.token}"}
        )
        with urllib.request.urlopen(request, timeout=30) as answer:
            body = answer.read()
        return json.loads(body) if body else None


@contextlib.contextmanager
def jupyter_server(kind: str, folder: Path) -> Iterator[JupyterServer]:
    """Start ``python -m KIND`` (jupyterlab or notebook) and end it; its log is in the error if it fails to start."""
    homes = {name: folder / name for name in ("config", "data", "runtime", "ipython", "settings", "notebooks")}
    for home in homes.values():
        home.mkdir(parents=True)
    page_config = homes["config"] / "labconfig" / "page_config.json"
    page_config.parent.mkdir()
    page_config.write_text(json.dumps({"disabledExtensions": dict.fromkeys(_DISABLED, True)}))
    for name, values in _SETTINGS.items():
        file = homes["settings"] / name
        file.parent.mkdir(parents=True)
        file.write_text(json.dumps(values))
    environment = {
        **os.environ,
        "JUPYTER_CONFIG_DIR": str(homes["config"]),
        "JUPYTER_DATA_DIR": str(homes["data"]),
        "JUPYTER_RUNTIME_DIR": str(homes["runtime"]),
        "JUPYTERLAB_SETTINGS_DIR": str(homes["settings"]),
        "IPYTHONDIR": str(homes["ipython"]),
    }
    token = secrets.token_hex(16)
    log = folder / "server.log"
    with log.open("wb") as output:
        process = subprocess.Popen(
            [
                *(sys.executable, "-m", kind, "--no-browser", "--allow-root", "--ip=127.0.0.1", "--port=0"),
                f"--IdentityProvider.token={token}",
                f"--ServerApp.root_dir={homes['notebooks']}",
                *_FLAGS[kind],
            ],
            env=environment,
            cwd=homes["notebooks"],
            stdout=output,
            stderr=subprocess.STDOUT,
        )
    try:
        url = _wait_until_serving(process, homes["runtime"], log)
        yield JupyterServer(kind, url, token, homes["notebooks"], homes["settings"])
    finally:
        process.terminate()
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def _wait_until_serving(process: subprocess.Popen[bytes], runtime: Path, log: Path) -> str:
    """The address that the server writes down once it listens, as soon as it answers there."""
    pause_s = 0.1
    for _ in range(int(START_TIMEOUT_S / pause_s)):
        for file in runtime.glob("jpserver-*.json"):
            with contextlib.suppress(json.JSONDecodeError, urllib.error.URLError, ConnectionError):
                port = json.loads(file.read_text())["port"]
                url = f"http://127.0.0.1:{port}"
                with urllib.request.urlopen(f"{url}/api", timeout=10):
                    return url
        with contextlib.suppress(subprocess.TimeoutExpired):  # its end is worth waiting for, too
            process.wait(pause_s)
            break
    raise RuntimeError(f"the {process.args[2]} server did not start; its log:\n{log.read_text(errors='replace')}")
