"""A hub of models on this machine: enough of the Hugging Face Hub's HTTP for real downloads and real refusals."""

import hashlib
import http.server
import json
import threading
import time
import urllib.parse
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

COMMIT = "0123456789abcdef0123456789abcdef01234567"


class Hub(http.server.ThreadingHTTPServer):
    """Serves folders as models, by hub id; anything else is 404.

    As on the real hub, everybody may see what a gated model is made of; here nobody may download it. `asked` holds
    (method, path, Authorization) of every request; `pause` are seconds between pieces of a file.
    """

    def __init__(self, models: dict[str, Path], gated: tuple[str, ...] = (), pause: float = 0.0) -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.models, self.gated, self.pause = models, gated, pause
        self.asked: list[tuple[str, str, str]] = []

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.server_address[1]}"


class _Handler(http.server.BaseHTTPRequestHandler):
    server: Hub
    protocol_version = "HTTP/1.1"

    def do_HEAD(self) -> None:
        self._answer(with_body=False)

    def do_GET(self) -> None:
        self._answer(with_body=True)

    def _answer(self, with_body: bool) -> None:
        path = urllib.parse.urlsplit(self.path).path.strip("/")
        self.server.asked.append((self.command, path, self.headers.get("Authorization", "")))
        words = path.removeprefix("api/models/").split("/")
        model, rest = "/".join(words[:2]), words[2:]
        folder = self.server.models.get(model)
        if folder is None:
            return self._send(404, b"", {"X-Error-Code": "RepoNotFound", "X-Error-Message": "Repository not found"})
        if path.startswith("api/"):
            return self._send_about(model, folder, rest, with_body)
        if model in self.server.gated:
            status = 403 if self.headers.get("Authorization") else 401
            return self._send(status, b"", {"X-Error-Code": "GatedRepo", "X-Error-Message": "Access is restricted."})
        file = folder / "/".join(rest[2:])
        if not file.is_file():
            return self._send(404, b"", {"X-Error-Code": "EntryNotFound", "X-Repo-Commit": COMMIT})
        content = file.read_bytes()
        etag = hashlib.sha256(content).hexdigest()
        return self._send(200, content, {"ETag": f'"{etag}"', "X-Repo-Commit": COMMIT}, with_body)

    def _send_about(self, model: str, folder: Path, rest: list[str], with_body: bool) -> None:
        """What the hub's API tells of a model, or of its files."""
        names = sorted(path.name for path in folder.iterdir() if path.is_file())
        if rest[:1] == ["tree"]:
            files = [{"type": "file", "path": name, "size": (folder / name).stat().st_size} for name in names]
            answer: object = files if len(rest) <= 2 else []
        elif rest[:1] == ["discussions"]:
            answer = {"discussions": [], "count": 0}
        else:
            siblings = [{"rfilename": name, "size": (folder / name).stat().st_size} for name in names]
            answer = {"id": model, "modelId": model, "sha": COMMIT, "siblings": siblings, "tags": [], "private": False}
        self._send(200, json.dumps(answer).encode(), {"Content-Type": "application/json"}, with_body)

    def _send(self, status: int, body: bytes, headers: dict[str, str], with_body: bool = True) -> None:
        self.send_response(status)
        for name, value in {**headers, "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        for start in range(0, len(body) if with_body else 0, 1 << 18):
            self.wfile.write(body[start : start + (1 << 18)])
            time.sleep(self.server.pause)

    def log_message(self, format: str, *args: object) -> None:
        pass


@contextmanager
def serving(models: dict[str, Path], gated: tuple[str, ...] = (), pause: float = 0.0) -> Iterator[Hub]:
    """A hub that answers as long as the block lasts."""
    hub = Hub(models, gated, pause)
    thread = threading.Thread(target=hub.serve_forever, daemon=True)
    thread.start()
    try:
        yield hub
    finally:
        hub.shutdown()
        hub.server_close()
        thread.join()
