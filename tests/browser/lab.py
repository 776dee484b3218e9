"""JupyterLab for a test: on loopback, with settings of its own, and gone afterwards with everything it started.

    with running_lab(folder, private) as lab:      # a server that shows `folder`
        lab.url, lab.token

Files and settings of whoever runs the tests are neither read nor written.
"""

from __future__ import annotations

import contextlib
import json
import os
import re
import secrets
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import psutil

START_LIMIT_S = 60.0  # JupyterLab imports its extensions first: 2-3 s alone, much longer on a busy machine
STOP_LIMIT_S = 20.0  # it shuts its kernels down one after the other

# No news, no update check, and every cell in the page at once instead of only those in view.
SETTINGS = {
    "@jupyterlab/apputils-extension/notification": {"fetchNews": "false", "checkForUpdates": False},
    "@jupyterlab/notebook-extension/tracker": {"windowingMode": "none"},
}


@dataclass(frozen=True)
class Lab:
    url: str  # http://127.0.0.1:PORT
    token: str
    pid: int


@contextlib.contextmanager
def running_lab(folder: Path, private: Path) -> Iterator[Lab]:
    """A JupyterLab that serves `folder` and keeps its own files in `private`; nothing of it is left at the end."""
    token = secrets.token_hex(16)
    process = subprocess.Popen(
        [sys.executable, "-m", "jupyterlab", "--no-browser", "--ip=127.0.0.1", "--port=0", "--expose-app-in-browser",
         f"--ServerApp.root_dir={folder}", "--ServerApp.allow_root=True", "--ServerApp.terminals_enabled=False",
         "--LabApp.extension_manager=readonly"],
        cwd=folder, env=_environment(private, token), stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
        start_new_session=True,
    )  # fmt: skip
    log = _Log(process)
    try:
        yield Lab(log.url(START_LIMIT_S), token, process.pid)
    finally:
        left = _stop(process)
        log.join()
    assert not left, f"processes were left behind by JupyterLab and had to be killed: {left}"


def _environment(private: Path, token: str) -> dict[str, str]:
    for name, value in SETTINGS.items():
        path = private / "settings" / f"{name}.jupyterlab-settings"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(json.dumps(value))
    own = {
        "JUPYTER_CONFIG_DIR": "config",
        "JUPYTER_DATA_DIR": "data",
        "JUPYTER_RUNTIME_DIR": "runtime",
        "JUPYTERLAB_SETTINGS_DIR": "settings",
        "JUPYTERLAB_WORKSPACES_DIR": "workspaces",
        "IPYTHONDIR": "ipython",
        "PSLAB_HOME": "pslab",
    }
    environment = {**os.environ, **{name: str(private / part) for name, part in own.items()}, "JUPYTER_TOKEN": token}
    environment.pop("MPLBACKEND", None)  # pictures belong inline, in the notebook
    return environment


def _stop(process: subprocess.Popen) -> list[str]:
    """End the server as Ctrl-C in its terminal would; name whatever outlived it, and kill that."""
    if process.poll() is not None:
        return []
    family = psutil.Process(process.pid).children(recursive=True)
    process.send_signal(signal.SIGTERM)
    try:
        process.wait(STOP_LIMIT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
    _, alive = psutil.wait_procs(family, timeout=STOP_LIMIT_S)
    names = []
    for child in alive:
        with contextlib.suppress(psutil.NoSuchProcess):
            names.append(" ".join(child.cmdline()[:4]))
            child.kill()
    return names


class _Log:
    """Reads the server's log to its end, so that the pipe never fills; the address is in it."""

    def __init__(self, process: subprocess.Popen):
        self._process, self._lines, self._seen = process, [], threading.Event()
        self._address = ""
        self._thread = threading.Thread(target=self._read, daemon=True)
        self._thread.start()

    def _read(self) -> None:
        for line in self._process.stderr:
            self._lines.append(line)
            if not self._address and (match := re.search(r"http://127\.0\.0\.1:\d+", line)):
                self._address = match.group()
                self._seen.set()
        self._seen.set()  # it ended: nobody should wait any longer

    def url(self, limit_s: float) -> str:
        self._seen.wait(limit_s)
        if not self._address:
            raise RuntimeError(f"JupyterLab gave no address within {limit_s:.0f} s:\n{''.join(self._lines[-20:])}")
        return self._address

    def join(self) -> None:
        self._thread.join(5.0)
        self._process.stderr.close()
