"""What holds for every test: one thread a process, a quiet matplotlib, no network beyond this machine."""

import ipaddress
import os
import signal
import socket
import tempfile
import threading
from pathlib import Path

import pytest
from hypothesis import settings

# Read once, when torch or numpy is first imported; nothing imported above does that.
for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(_name, "1")
os.environ.setdefault("MPLBACKEND", "Agg")

_home = tempfile.TemporaryDirectory()           # a progress file of the tests' own
os.environ["PSLAB_HOME"] = _home.name

# A shell that starts a job in the background lets it ignore Ctrl-C; the tests of interrupts need it.
if threading.current_thread() is threading.main_thread():
    signal.signal(signal.SIGINT, signal.default_int_handler)

# A shared machine stalls now and then: no per-example deadline; failures print what reproduces them.
settings.register_profile("pslab", deadline=None, print_blob=True)
settings.load_profile("pslab")


@pytest.fixture(scope="session")
def repo_root() -> Path:
    """The folder of pyproject.toml."""
    return Path(__file__).resolve().parent.parent


@pytest.fixture(autouse=True, scope="session")
def _loopback_only():
    """Refuse connections that leave this machine: the kit fetches nothing unasked, and a test proves it by passing."""
    connect = socket.socket.connect

    def guarded(self, address):
        if self.family in (socket.AF_INET, socket.AF_INET6):
            host = address[0]
            try:
                local = host == "localhost" or ipaddress.ip_address(host).is_loopback
            except ValueError:
                local = False
            if not local:
                raise PermissionError(f"a test tried to connect to {address!r}; tests stay on loopback")
        return connect(self, address)

    socket.socket.connect = guarded
    yield
    socket.socket.connect = connect
