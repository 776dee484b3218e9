"""A loopback HTTP server and small zipped data sets, for tests that fetch."""

import hashlib
import http.server
import io
import threading
import zipfile
from pathlib import Path

import pytest
from data_movielens_files import write_movielens

NAMES = ("u.data", "u.genre", "u.info", "u.item", "u.user", "u1.base", "u1.test")


class Server:
    """A loopback HTTP server that answers every request as `answer` says, and remembers the requests."""

    def __init__(self):
        self.requests, self.answer, self.done = [], None, threading.Event()
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append(self.path)
                outer.answer(self)
                self.close_connection = True

            def log_message(self, *_):
                pass

        self.http = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.http.daemon_threads = True
        self.url = f"http://127.0.0.1:{self.http.server_port}/ml-100k.zip"
        threading.Thread(target=self.http.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()

    def send(self, body: bytes, claimed: int | None = None, status: int = 200):
        def answer(handler):
            handler.send_response(status)
            handler.send_header("Content-Length", str(len(body) if claimed is None else claimed))
            handler.end_headers()
            handler.wfile.write(body)

        self.answer = answer

    def close(self):
        self.done.set()
        self.http.shutdown()
        self.http.server_close()


@pytest.fixture(name="server")
def server_fixture(monkeypatch):
    for name in ("http_proxy", "https_proxy", "HTTP_PROXY", "HTTPS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    server = Server()
    yield server
    server.close()


@pytest.fixture(name="files")
def files_fixture(tmp_path) -> dict[str, bytes]:
    folder = write_movielens(tmp_path / "made").folder
    return {name: (folder / name).read_bytes() for name in NAMES}


def zipped(files: dict[str, bytes], folder: str = "ml-100k/") -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as bundle:
        bundle.writestr(f"{folder}README", "read me\n")
        for name, content in files.items():
            bundle.writestr(f"{folder}{name}", content)
        bundle.writestr(f"{folder}u2.base", b"not wanted")
    return out.getvalue()


def sums(files: dict[str, bytes]) -> dict[str, tuple[int, str]]:
    return {name: (len(content), hashlib.sha256(content).hexdigest()) for name, content in files.items()}


def tree(folder: Path) -> dict[str, bytes | None]:
    """Everything below `folder`, with contents; {} where there is no such folder."""
    return {
        str(path.relative_to(folder)): path.read_bytes() if path.is_file() else None
        for path in sorted(folder.rglob("*"))
    }
