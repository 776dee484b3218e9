"""A run cut into steps, and what happens in each, in words.

    time      0 ───────────●───────────────●─────●─────>       ● messages arrive: here a step ends
    step         1              2             3
                 messages that arrive in it; those still under way at its end

In the simulator the messages of one round arrive together and are one step; in a real run each has its own, unless
`slack_s` joins those that arrive within so many seconds. Where there would be more than `most` steps, several are made
one.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from typing import NamedTuple

from .style import number, seconds_unit, sized

MOST = 200
_NAMED = 8                    # so many messages of a kind are named in a sentence
_SAME = 1e-9                  # moments closer than this share of the run are one: sums of floats differ in the last bit


class Step(NamedTuple):
    """From start_s (exclusive) to end_s (inclusive). Step 0 is the beginning: nothing has arrived."""

    number: int
    start_s: float
    end_s: float
    arrived: list             # events that arrive in this step
    under_way: list           # that have left their sender and have not arrived at its end
    before: list              # that arrived earlier


class Steps:
    """All steps of a trace, the beginning first: at least one. `steps[3]` is found when it is asked for."""

    def __init__(self, trace, most: int = MOST, slack_s: float = 0.0):
        if not isinstance(most, int) or most < 1:
            raise ValueError(f"most={most!r}; at least 1 step is needed")
        self._events = sorted(trace.events, key=lambda e: (e.arrive_s, e.src, e.dst))
        self.end_s = self._events[-1].arrive_s if self._events else 0.0
        if not 0 <= slack_s < float("inf"):
            raise ValueError(f"slack_s={slack_s!r}; a number of seconds, 0 or more, is needed")
        self._slack_s = _SAME * self.end_s
        ends, first_s = [], float("-inf")
        for i, event in enumerate(self._events):
            if event.arrive_s - first_s > slack_s + self._slack_s:          # it begins a step of its own
                ends.append(i)
                first_s = event.arrive_s
        ends = [*ends[1:], *([len(self._events)] if self._events else [])]
        if len(ends) > most:
            ends = [ends[round((i + 1) * len(ends) / most) - 1] for i in range(most)]
        self._ends = [0, *ends]                       # how many messages have arrived when a step ends

    def __len__(self) -> int:
        return len(self._ends)

    def __getitem__(self, at: int) -> Step:
        if not isinstance(at, int) or not 0 <= at < len(self):
            raise ValueError(f"at={at!r}; this run has the steps 0 to {len(self) - 1}")
        if at == 0:
            return Step(0, 0.0, 0.0, [], [], [])
        first, last = self._ends[at - 1], self._ends[at]
        since_s, until_s = self._events[first - 1].arrive_s if first else 0.0, self._events[last - 1].arrive_s
        under_way = [e for e in self._events[last:] if e.start_s < until_s - self._slack_s]
        return Step(at, since_s, until_s, self._events[first:last], under_way, self._events[:first])


def holding(snapshots: Sequence | None, rank: int, moment_s: float) -> str:
    """What a rank holds at a moment: the last entry of its diary [(time_s, text), ...] that is not later."""
    if snapshots is None:
        return ""
    diary = snapshots[rank]
    at = bisect_right([time_s for time_s, _ in diary], moment_s * (1 + _SAME))
    return str(diary[at - 1][1]) if at else ""


def check_snapshots(snapshots, world_size: int) -> None:
    """ValueError unless there is a diary for each rank, in the order of time."""
    if snapshots is None:
        return
    if len(snapshots) != world_size:
        raise ValueError(f"snapshots has {len(snapshots)} diaries; one for each of the {world_size} ranks is needed")
    for rank, diary in enumerate(snapshots):
        try:
            times = [time_s for time_s, _ in diary]
            fine = all(one <= two for one, two in zip(times, times[1:]))
        except (TypeError, ValueError):
            fine = False
        if not fine:
            raise ValueError(f"snapshots[{rank}]={diary!r}; a list of (time_s, text) in the order of time is needed")


def told(step: Step, steps: int, names: Sequence[str]) -> str:
    """What happens in the step, as a sentence or two."""
    if not step.number:
        return f"Beginning: nothing is sent yet; {steps - 1} steps follow." if steps > 1 else "No messages are sent."
    unit_s, unit = seconds_unit(step.end_s)
    begin, end = (number(float(moment_s / unit_s), 4) for moment_s in (step.start_s, step.end_s))
    text = f"Step {step.number} of {steps - 1}, {begin} to {end} {unit}: {_listed(step.arrived, names)}."
    if step.under_way:
        text += f" Still under way: {_listed(step.under_way, names)}."
    return text


def _listed(events: Sequence, names: Sequence[str]) -> str:
    """'4 × all_reduce of 4 kB: rank 0 → rank 1, rank 1 → rank 2, ...', kind after kind."""
    kinds: dict[tuple, list] = {}
    for e in events:
        kinds.setdefault((e.what, e.payload_bytes), []).append(f"{names[e.src]} → {names[e.dst]}")
    parts = []
    for (what, size), pairs in list(kinds.items())[:_NAMED]:
        more = f" and {len(pairs) - _NAMED} more" if len(pairs) > _NAMED else ""
        count = f"{len(pairs)} × " if len(pairs) > 1 else ""
        parts.append(f"{count}{what} of {sized(size)}: {', '.join(pairs[:_NAMED])}{more}")
    left = sum(map(len, list(kinds.values())[_NAMED:]))
    return "; ".join(parts) + (f"; and {left} messages of other kinds or sizes" if left else "")
