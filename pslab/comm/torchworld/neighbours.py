"""Which ranks run on this machine, and which of them a signal has stopped (SIGSTOP, Ctrl-Z).

A rank that computes is silent for as long as it likes; a stopped one is silent too, and nobody in the world can tell
the two apart by their messages. The machine that it runs on can: on Linux its state is in /proc. A rank that is alone
on its machine has no neighbour to see it.
"""

from __future__ import annotations

import os
from pathlib import Path


class Neighbours:
    """The other ranks on this machine, by their process ids, which all ranks leave in the store."""

    def __init__(self, store, rank: int, world_size: int):
        store.set(f"process/{rank}", f"{_machine()} {os.getpid()}")
        told = {peer: store.get(f"process/{peer}").decode().rsplit(" ", 1) for peer in range(world_size)}
        self.pids = {peer: int(pid) for peer, (machine, pid) in told.items() if machine == _machine() and peer != rank}

    def stopped(self) -> list[int]:
        """The ranks that are stopped now."""
        return [rank for rank, pid in self.pids.items() if _state(pid) == "T"]


def _machine() -> str:
    """Equal for two processes that see each other's ids: one start of one machine, one table of processes."""
    try:
        return f"{Path('/proc/sys/kernel/random/boot_id').read_text().strip()} {os.readlink('/proc/self/ns/pid')}"
    except OSError:
        return f"no /proc {os.getpid()}"


def _state(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]
    except OSError:
        return ""                                    # it is gone: its connection tells
