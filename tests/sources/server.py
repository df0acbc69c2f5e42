"""A web server on this machine that sends ranges of files, remembers what was asked for, and fails on demand."""

from __future__ import annotations

import re
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import unquote, urlsplit


class FileServer(ThreadingHTTPServer):
    """Serves a folder.

    `fault(request, number)` is asked about each GET of a range, `number` counting from 1, and may answer it.
    """

    daemon_threads = True

    def __init__(self, folder: Path) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.folder = folder
        self.lists = False
        self.ranges = True
        self.etag = '"1"'
        self.fault: Callable[[_Handler, int], bool] = lambda request, number: False
        self.lock = threading.Lock()
        self.asked: list[tuple[str, int, int]] = []
        """File, first byte and end of every range sent or begun to be sent."""
        self.paths: list[str] = []
        self.at_once = 0
        self.most_at_once = 0

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"

    def asked_of(self, name: str) -> list[tuple[int, int]]:
        return [(begin, end) for path, begin, end in self.asked if path == name]

    def handle_error(self, request: object, client_address: object) -> None:
        """A client that went away is no news."""


@contextmanager
def serving(folder: Path) -> Iterator[FileServer]:
    server = FileServer(folder)
    thread = threading.Thread(target=server.serve_forever, args=(0.01,))
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


class _Handler(BaseHTTPRequestHandler):
    server: FileServer
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self.answer(body=False)

    def do_GET(self) -> None:
        with self.server.lock:
            self.server.at_once += 1
            self.server.most_at_once = max(self.server.most_at_once, self.server.at_once)
        try:
            self.answer(body=True)
        finally:
            with self.server.lock:
                self.server.at_once -= 1

    def answer(self, body: bool) -> None:
        name = unquote(urlsplit(self.path).path).lstrip("/")
        self.server.paths.append(self.path)
        path = self.server.folder / name
        if path.is_dir() and self.server.lists:
            links = "".join(f'<a href="{file.name}">{file.name}</a>' for file in path.iterdir())
            return self.send(200, links.encode(), body, {"Content-Type": "text/html"})
        if not path.is_file():
            return self.send(404, b"", body)
        size = path.stat().st_size
        begin, end = 0, size
        match = re.fullmatch(r"bytes=(\d+)-(\d+)", self.headers.get("Range", ""))
        if match:
            begin, end = int(match[1]), min(int(match[2]) + 1, size)
            with self.server.lock:
                self.server.asked.append((name, begin, end))
                number = len(self.server.asked)
            if self.server.fault(self, number):
                return None
        headers = {"ETag": self.server.etag} if self.server.etag else {}
        if not (match and self.server.ranges):
            return self.send(200, path.read_bytes(), body, headers)
        headers["Content-Range"] = f"bytes {begin}-{end - 1}/{size}"
        with path.open("rb") as file:
            file.seek(begin)
            return self.send(206, file.read(end - begin), body, headers)

    def send(self, status: int, content: bytes, body: bool = True, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        if body:
            self.wfile.write(content)

    def send_half(self, status: int = 206) -> bool:
        """Promise bytes, and close the connection before they are all sent."""
        self.send_response(status)
        self.send_header("Content-Length", "1000000")
        self.end_headers()
        self.wfile.write(b"half")
        self.wfile.flush()
        self.connection.close()
        self.close_connection = True
        return True

    def send_status(self, status: int) -> bool:
        self.send(status, b"no")
        return True

    def log_message(self, *_: object) -> None:
        """Say nothing."""
