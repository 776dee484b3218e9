"""All probes, in the order in which one would look: what is installed, the machine, then what is really tried."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pslab

from . import installed, machine, tried
from .finding import Finding, Report, ask

ROOT = Path(pslab.__file__).resolve().parent.parent


def examine(quick: bool = False, told: Callable[[Finding], None] = lambda finding: None) -> Report:
    """Run every probe; `told` hears each finding as it comes. quick: leave out torchrun and the notebook kernel."""
    from .course import mended

    findings: list[Finding] = []
    for finding in _all(quick, findings):
        findings.append(finding)
        told(finding)
    return mended(tuple(findings))


def _all(quick: bool, so_far: list[Finding]) -> Iterator[Finding]:
    yield from installed.installed()
    temporary = Path(tempfile.gettempdir())
    yield from (ask("machine", *probe) for probe in (
        ("system", machine.system, True),
        ("cores", machine.cores),
        ("memory", machine.memory, True),
        ("memory shared by ranks", machine.nameless_memory),
        ("/dev/shm", machine.shm),
        ("temporary folder", lambda: machine.folder("temporary folder", temporary, needed=True), True),
        ("cache folder", lambda: machine.folder("cache folder", _cache())),
        ("open files", machine.open_files),
        ("notebooks", lambda: machine.checkout(ROOT)),
        ("MovieLens-100K", machine.data),
        ("chromium", machine.browser),
        ("GPU", machine.gpu),
    ))
    if Report(tuple(so_far)).in_the_way:
        return  # what is tried below would fail for a reason that stands above
    yield ask("tried", "torch", tried.torch_works, True)
    yield ask("tried", "simulated world", tried.simulated, True)
    yield ask("tried", "two processes", tried.processes, True)
    yield ask("tried", "Gloo", tried.gloo)
    if quick:
        return
    yield ask("tried", "torchrun", tried.torchrun)
    if Report(tuple(so_far)).fine("for chapters and labs in JupyterLab"):
        yield ask("tried", "notebook kernel", tried.kernel)


def _cache() -> Path:
    from pslab.data import cache_folder

    return cache_folder()
