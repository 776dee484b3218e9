"""How a student's process ended, as what a student reads."""

from __future__ import annotations

import os
import signal

from . import failures
from .box_signs import CLOSED


def why_it_ended(ended: dict, limits: dict, where: str) -> failures.AnswerFailed:
    """From the keeper's last word: {ended: wait status or None, reason: what it was killed for, ...}."""
    reason, status = ended.get("reason"), ended.get("ended")
    if reason == "memory":
        return failures.OutOfMemory(f"your code used {ended['bytes'] / 2**20:,.0f} MiB of memory; allowed are "
                                    f"{limits['memory_bytes'] / 2**20:,.0f} MiB", where)
    if reason == "processes":
        return failures.Forbidden(f"your code started {ended['count']} processes; allowed are "
                                  f"{limits['processes']}", where)
    if reason == "output":
        return failures.TooMuchOutput(f"your code printed more than {limits['output_bytes']:,} bytes", where)
    if reason == "files":
        return failures.Forbidden(f"your code filled its folder: {ended['count']:,} files or more, "
                                  f"{ended['bytes'] / 2**20:,.0f} MiB", where)
    if status is None:
        return failures.Died("the process that ran your code is gone", where)
    if os.WIFSIGNALED(status):
        number = os.WTERMSIG(status)
        if number == signal.SIGXCPU:
            return failures.TimedOut(f"your code used more than {limits['cpu_s']:g} s of processor time", where)
        name = signal.Signals(number).name if number in set(signal.Signals) else "unknown"
        return failures.Died(f"your code ended its process by signal {number} ({name})", where)
    code = os.WEXITSTATUS(status)
    if code == CLOSED:
        return failures.Died("your code closed descriptors that its process needs to answer", where)
    return failures.Died(f"your code ended its process with exit code {code}", where)
