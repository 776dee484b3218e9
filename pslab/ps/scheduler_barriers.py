"""Barriers among groups of nodes, counted: the k-th call of one member meets the k-th of every other.

    workers   worker 0 came to its 3rd at 1.2 s, worker 2 at 1.4 s; worker 1 is missing      released so far: 2

A node that left holds nobody up. One that waited too long is told who is missing; its call did not happen then.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from pslab.comm import Mail

from .requests import Again

GROUPS = {"workers": ("worker",), "servers": ("server",), "all": ("worker", "server")}


class Call(NamedTuple):
    """A node stands at a barrier since came_s; at deadline_s (None: never) it is told who is not. q: its letter's."""

    rank: int
    q: int
    came_s: float
    deadline_s: float | None


class Barriers:
    """All barriers of one scheduler (its own rank signs the answers)."""

    def __init__(self, rank: int):
        self.rank = rank
        self._released = dict.fromkeys(GROUPS, 0)
        self._here: dict[str, dict[int, Call]] = {group: {} for group in GROUPS}

    def arrive(self, group: str, number: int, call: Call,
               members: Callable[[str], list[int]]) -> list[tuple[int, Mail]]:
        """A member came to its `number`-th barrier of a group; `members(group)` are those that must come."""
        if number <= self._released[group]:
            return [(call.rank, Again(self.rank, "s.go", {"g": group, "b": number}))]        # its answer was lost
        here = self._here[group]
        if call.rank in here:
            return [(call.rank, Again(self.rank, "s.wait", {"w": ""}))]                      # it shows that one is here
        here[call.rank] = call
        return self._open(group, members)

    def left(self, rank: int, members: Callable[[str], list[int]]) -> list[tuple[int, Mail]]:
        """A node left: those who waited for it alone go on."""
        self.forget(rank)
        return [letter for group in GROUPS for letter in self._open(group, members)]

    def forget(self, rank: int) -> None:
        """This node starts again, or left: it has come to no barrier."""
        for here in self._here.values():
            here.pop(rank, None)

    def time_passed(self, now_s: float, members: Callable[[str], list[int]],
                    name: Callable[[int], str]) -> list[tuple[int, Mail]]:
        out = []
        for group, here in self._here.items():
            absent = self.absent(group, members)
            for call in [call for call in here.values() if call.deadline_s is not None and call.deadline_s <= now_s]:
                del here[call.rank]
                why = (f"barrier {self._released[group] + 1} of {group}: {', '.join(map(name, absent))} did not come; "
                       f"{name(call.rank)} waited {now_s - call.came_s:.3g} s")
                out.append((call.rank, Mail(self.rank, "s.late", {"g": group, "q": call.q, "w": why})))
        return out

    def next_deadline_s(self) -> float | None:
        return min((call.deadline_s for here in self._here.values() for call in here.values()
                    if call.deadline_s is not None), default=None)

    def released(self) -> dict[str, int]:
        """{group: barriers that are over}; where a node that starts again goes on."""
        return dict(self._released)

    def waiting(self, rank: int) -> tuple[str, float] | None:
        """(group, since when) of the barrier that a node waits in."""
        return next(((group, here[rank].came_s) for group, here in self._here.items() if rank in here), None)

    def absent(self, group: str, members: Callable[[str], list[int]]) -> list[int]:
        """Who has not come to the next barrier of a group."""
        return sorted(set(members(group)) - set(self._here[group]))

    def _open(self, group: str, members: Callable[[str], list[int]]) -> list[tuple[int, Mail]]:
        here = self._here[group]
        if not here or self.absent(group, members):
            return []
        self._released[group] += 1
        self._here[group] = {}
        return [(rank, Mail(self.rank, "s.go", {"g": group, "b": self._released[group]})) for rank in sorted(here)]
