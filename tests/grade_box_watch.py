"""What the tests of the box look at: is anything left of a box when it is closed."""

import os
import shutil
import tempfile
import time
from contextlib import contextmanager

import psutil

from pslab.grade import sandbox


@contextmanager
def own_zygote():
    """A zygote whose boxes have their folders in one place of ours; yields a function that asserts nothing is left."""
    folder = tempfile.mkdtemp(prefix="pslab-test-")
    os.chmod(folder, 0o755)
    before = os.environ.get("TMPDIR")
    os.environ["TMPDIR"] = folder
    sandbox.shut_down()
    try:
        yield lambda: assert_nothing_left(folder)
    finally:
        sandbox.shut_down()
        if before is None:
            del os.environ["TMPDIR"]
        else:
            os.environ["TMPDIR"] = before
        shutil.rmtree(folder)


def assert_nothing_left(folder: str) -> None:
    """No process below the zygote, no folder, nothing in shared memory that belongs to a user of the box."""
    zygote = psutil.Process(sandbox.running().process.pid)
    until_s = time.monotonic() + 5
    while zygote.children(recursive=True) and time.monotonic() < until_s:      # a keeper that is about to leave
        time.sleep(0.005)
    assert zygote.children(recursive=True) == []
    assert os.listdir(folder) == []
    owners = {entry.name: entry.stat(follow_symlinks=False).st_uid for entry in os.scandir("/dev/shm")}
    assert [name for name, uid in owners.items() if 52_000 <= uid < 60_000] == []
