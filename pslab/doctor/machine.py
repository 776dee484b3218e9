"""The machine: system, cores, memory, shared memory, folders, programs, GPU, data.

Each probe takes the functions it looks with as arguments, so that a test can hand it a poorer machine.
"""

from __future__ import annotations

import os
import platform
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from .finding import Finding

PART = "machine"
MIB, GIB = 1 << 20, 1 << 30
SMALL_SHM_BYTES = 64 * MIB          # what containers give unless asked, and a browser asks for more
LITTLE_MEMORY_BYTES = 2 * GIB       # below this be careful: a browser, JupyterLab, a kernel and ranks share it
TOO_LITTLE_MEMORY_BYTES = GIB // 2
LITTLE_DISK_BYTES = 256 * MIB
BROWSERS = ("chromium", "chromium-browser", "google-chrome")


def system(name: str = sys.platform, release: str | None = None) -> Finding:
    """Linux is tested; WSL 2 is a Linux; macOS works over sockets; Windows itself does not."""
    release = platform.release() if release is None else release
    if name == "linux" and "microsoft" in release.lower():
        return Finding(PART, "system", "note", "Linux under WSL 2: written for, not tested there",
                       "keep the course in the Linux home folder, not under /mnt/c: files there are slow", True)
    if name == "linux":
        return Finding(PART, "system", "ok", f"Linux {release}", needed=True)
    if name == "darwin":
        return Finding(PART, "system", "note", "macOS: processes talk over sockets in place of shared memory; "
                       "written for, not tested there", "nothing; times differ from those printed in the course", True)
    return Finding(PART, "system", "broken", f"{name}: processes cannot be started the way the course needs",
                   "on Windows: install WSL 2 (`wsl --install`), and the course inside it", True)


def cores(count: int | None = None) -> Finding:
    """Cores that this process may use."""
    if count is None:
        count = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    if count < 2:
        return Finding(PART, "cores", "note", "1 core: everything runs, and ranks take turns on it",
                       "read times of real processes with care; bytes and simulated times are the same",
                       value={"cores": count})
    said = f"{count} cores" + (": enough; more than that many ranks take turns" if count < 4 else "")
    return Finding(PART, "cores", "ok", said, value={"cores": count})


def memory(available_bytes: Callable[[], int | None] | None = None) -> Finding:
    """Memory that is free to use, within what a container allows."""
    free = (available_bytes or _available_bytes)()
    if free is None:
        return Finding(PART, "memory", "note", "this system does not say how much memory is free",
                       "2 GiB free are comfortable")
    said, value = f"{free / GIB:.1f} GiB free", {"free_bytes": free}
    if free < TOO_LITTLE_MEMORY_BYTES:
        return Finding(PART, "memory", "broken", said, "close other programs; half a GiB is the least", True, value)
    if free < LITTLE_MEMORY_BYTES:
        return Finding(PART, "memory", "note", said, "one notebook at a time, and at most 2 workers", True, value)
    return Finding(PART, "memory", "ok", said, needed=True, value=value)


def nameless_memory(create: Callable | None = None) -> Finding:
    """The shared memory that ranks use: made, sized, written. It has no name and needs no /dev/shm."""
    name = "memory shared by ranks"
    create = create or getattr(os, "memfd_create", None)
    if create is None:
        return Finding(PART, name, "note", "this system has none; ranks talk over sockets",
                       "nothing; large messages are slower")
    try:
        descriptor = create("pslab-doctor")
    except OSError as error:
        return _no_memory(name, error)
    try:
        os.ftruncate(descriptor, MIB)
        os.pwrite(descriptor, b"\x01" * 4096, MIB - 4096)
    except OSError as error:
        return _no_memory(name, error)
    finally:
        os.close(descriptor)
    return Finding(PART, name, "ok", "made and written")


def _no_memory(name: str, error: OSError) -> Finding:
    return Finding(PART, name, "broken", f"it cannot be made: {error.strerror}",
                   'use ProcessWorld(K, transport="tcp"); in a container, allow memfd_create')


def shm(statvfs: Callable = os.statvfs, path: str = "/dev/shm") -> Finding:
    """The size of /dev/shm: browsers need it, the kit does not."""
    if not sys.platform.startswith("linux"):
        return Finding(PART, "/dev/shm", "ok", "not used on this system")
    try:
        about = statvfs(path)
    except OSError:
        return Finding(PART, "/dev/shm", "note", "there is none",
                       "nothing for the course itself; browsers and Docker images like to have one")
    size = about.f_frsize * about.f_blocks
    value = {"size_bytes": size}
    if size <= SMALL_SHM_BYTES:
        return Finding(PART, "/dev/shm", "note", f"{size / MIB:.0f} MiB, which is small: a browser in this container "
                       "may fail", "start the container with --shm-size=1g; the course's own processes do not use it",
                       value=value)
    return Finding(PART, "/dev/shm", "ok", f"{size / GIB:.1f} GiB", value=value)


def folder(name: str, path: Path, disk_usage: Callable = shutil.disk_usage, needed: bool = False) -> Finding:
    """Whether a file can be written in `path`, which is made for that if need be, and how much room there is."""
    made = [folder for folder in (path, *path.parents) if not folder.exists()]
    try:
        path.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=path, prefix=".pslab-doctor-") as file:
            file.write(b"1")
            file.flush()
        free = disk_usage(path).free
        for empty in made:  # nobody asked for it yet
            empty.rmdir()
    except OSError as error:
        variable = {"cache folder": "PSLAB_CACHE", "temporary folder": "TMPDIR"}.get(name, "")
        hint = f", or let {variable} name a folder of yours" if variable else ""
        return Finding(PART, name, "broken", f"{path} cannot be written: {error.strerror}",
                       f"make it writable for you{hint}", needed)
    value = {"free_bytes": free}
    if free < LITTLE_DISK_BYTES:
        return Finding(PART, name, "note", f"{path}: only {free / MIB:.0f} MiB are free", "make room on that disk",
                       needed, value)
    return Finding(PART, name, "ok", f"{path}, {free / GIB:.0f} GiB free", needed=needed, value=value)


def open_files(limit: int | None = None) -> Finding:
    """How many files a process may have open: a world of K processes needs about K² descriptors in its launcher."""
    if limit is None:
        import resource

        limit = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
    if 0 <= limit < 256:
        return Finding(PART, "open files", "note", f"at most {limit} at a time: worlds of a few processes only",
                       "ulimit -n 1024, in the shell that starts JupyterLab", value={"limit": limit})
    return Finding(PART, "open files", "ok", f"{limit} at a time" if limit >= 0 else "no limit", value={"limit": limit})


def browser(which: Callable = shutil.which) -> Finding:
    """A Chromium for the tests of the notebooks in a browser; to *use* the course any browser will do."""
    path = next((path for name in BROWSERS if (path := which(name))), None)
    if path is None:
        return Finding(PART, "chromium", "missing", "no Chromium on the path: the browser tests are left out",
                       "only for `make test`: apt install chromium. To open notebooks any browser will do")
    return Finding(PART, "chromium", "ok", path)


def gpu(which: Callable = shutil.which, run: Callable = subprocess.run) -> Finding:
    """GPUs that the driver shows. Nothing in the course needs one today."""
    program = which("nvidia-smi")
    if program is None:
        return Finding(PART, "GPU", "ok", "none; every chapter and lab that exists runs without one",
                       value={"gpus": 0})
    try:
        done = run([program, "--query-gpu=name", "--format=csv,noheader"], capture_output=True, text=True, timeout=20)
    except (OSError, subprocess.TimeoutExpired) as error:
        return Finding(PART, "GPU", "note", f"nvidia-smi does not answer: {error}",
                       "nothing; the course runs without a GPU")
    names = [line.strip() for line in done.stdout.splitlines() if line.strip()]
    if done.returncode or not names:
        return Finding(PART, "GPU", "note", "nvidia-smi finds no working GPU",
                       "nothing; the course runs without a GPU")
    return Finding(PART, "GPU", "ok", f"{', '.join(names)}; seen, and not used by anything in the course yet",
                   value={"gpus": len(names)})


def data(listed: Callable | None = None) -> Finding:
    """Whether MovieLens-100K can be read; the synthetic click log stands in for it."""
    if listed is None:
        from pslab.data import data_list as listed
    places = [entry for entry in listed() if entry["name"] == "movielens-100k"]
    for entry in places:
        if entry["state"] == "present":
            return Finding(PART, "MovieLens-100K", "ok", entry["place"])
    broken = [f"{entry['place']} is incomplete, {entry['note']}" for entry in places if entry["state"] == "incomplete"]
    said = "; ".join(broken) or "not on this machine: the synthetic click log is used instead"
    return Finding(PART, "MovieLens-100K", "missing", said,
                   "`pslab data fetch movielens-100k`, or let PSLAB_DATA name the folder that holds ml-100k/")


def checkout(root: Path) -> Finding:
    """Whether the notebooks lie beside the package."""
    if (root / "chapters").is_dir():
        return Finding(PART, "notebooks", "ok", f"{root / 'chapters'}")
    return Finding(PART, "notebooks", "missing", "pslab is installed without its repository, so chapters and labs are "
                   "not here", "get the course's repository and run `make lab` in it")


def _available_bytes() -> int | None:
    """MemAvailable, and no more than what a container (cgroup 2) leaves; None where neither is told."""
    amounts = []
    with suppress(OSError):  # not Linux: asked below
        with open("/proc/meminfo", encoding="ascii") as file:
            amounts += [int(line.split()[1]) * 1024 for line in file if line.startswith("MemAvailable:")]
    with suppress(OSError, ValueError):  # no container, or one that does not say
        limit = Path("/sys/fs/cgroup/memory.max").read_text().strip()
        if limit != "max":
            amounts.append(max(int(limit) - int(Path("/sys/fs/cgroup/memory.current").read_text()), 0))
    if not amounts and hasattr(os, "sysconf") and "SC_PHYS_PAGES" in os.sysconf_names:
        amounts.append(os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE"))
    return min(amounts, default=None)
