"""A rank that waits for a tensor for ever, while others look for mail again and again.

    rank 0   recv(src=1) ...................................      nobody will ever send it
    rank 1   poll(1 s)  poll(1 s)  poll(1 s)  poll(1 s)  ...      virtual time goes on, so nobody calls it a deadlock

The watch puts a `Probe` into the queue every timeout_s / 4 real seconds, so that this is looked for between two turns,
when every rank stands still, and costs the turns nothing. What would be progress: a message, the end of a rank, a
compute or a sleep. Of real computing between two polls the turns are long.
"""

from __future__ import annotations

import time

from .kernel import Deadline, Kernel, Task
from .transfer import Half

LONG_TURN_S = 0.005           # ranks that only look for mail need a thousandth of it


class Standstill(Exception):
    """Ends the run; the caller sees `Stalled`."""


class Probe:
    """A queue entry that may come up any number of times; it ends the run when nothing has moved for timeout_s."""

    def __init__(self, kernel: Kernel, fabric, timeout_s: float):
        self._kernel, self._fabric, self._timeout_s = kernel, fabric, timeout_s
        self._seen, self._since_s, self._ticks, self._timed = None, 0.0, 0, set()

    def insert(self) -> bool:
        """Called by another thread: among what is due next, at whatever time. False when that has just begun."""
        kernel = self._kernel
        try:
            kernel._at[kernel._times[0]].append(self)
        except (IndexError, KeyError):
            return False
        return True

    def fire(self) -> Task | None:
        kernel, now_s = self._kernel, time.monotonic()
        left = [task for task in [*kernel.tasks, *kernel.strands] if not task.ended]
        entries = [entry for entries in kernel._at.values() for entry in entries if entry is not self]
        timed = {(entry.alarm.task, entry.alarm.task.since_s) for entry in entries
                 if type(entry) is Deadline and entry.alarm.task is not None}
        seen = self._look(left, entries, {task for task, _ in timed})
        if seen is None or seen != self._seen:
            self._seen, self._since_s, self._ticks, self._timed = seen, now_s, kernel.ticks, timed
            return None
        spent_s = now_s - self._since_s
        if spent_s < self._timeout_s or (kernel.ticks - self._ticks) * LONG_TURN_S < spent_s or timed & self._timed:
            return None                                   # timed & _timed: one that has not come to its time-out yet
        return kernel.fail(kernel.main, Standstill())

    def _look(self, left: list[Task], entries: list, timed: set[Task]) -> tuple | None:
        """What stays the same as long as nothing moves; None when somebody can still move something."""
        if not all(type(entry) is Deadline for entry in entries):
            return None                                   # somebody computes, a transfer or a letter is under way, ...
        stuck = [(task.rank, task.since_s) for task in left if task not in timed and _unmatched(task.waits_for)]
        if not stuck:
            return None
        messages = sum(lane.messages for lane in self._fabric.lanes())
        return messages, len(left), self._fabric.pauses, stuck


def _unmatched(half) -> bool:
    return isinstance(half, Half) and half in half.lane.halves(type(half))
