"""What a run that stands still, or left something over, ends with: whose calls differ first, then who is missing."""

from __future__ import annotations

from .. import agree
from ..errors import Stalled
from . import deadlock
from .kernel import Kernel


def verdict(kind: type[Stalled], headline: str, kernel: Kernel, fabric, stands: bool = True) -> Stalled:
    """A Disagreement where the ranks' collective calls differ, else an error of this kind. stands: ranks still wait."""
    said = {}
    for door in [*fabric.endpoints, *fabric.doors.values()]:
        said.setdefault(door.rank, []).extend(agree.told(door.logs))
    waits = deadlock.waits(kernel) if stands else []
    undelivered = deadlock.undelivered(fabric)
    return agree.differing(said, waits, undelivered) or kind(headline, waits, undelivered, agree.missing(said, waits))
