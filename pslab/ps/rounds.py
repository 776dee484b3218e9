"""The server's side of consistency: which pulls wait, and when a round closes.

    pull at clock c ──may_read?── yes ──> answered at once
                          │ no
                        parked by the clock it needs ──────────┐
    clock / bye ──> Clocks ── the smallest rose ──> for every clock now reached, in order:
                                                      answer the pulls parked for it, then close that round (one step)

What a model demands stands in consistency.py; here is only what a server does about it. A pull that overtook its
worker's own writes (where letters can be lost) waits for them first.
"""

from __future__ import annotations

from collections.abc import Callable

from pslab.comm import Mail

from .clocks import Clocks
from .requests import Asked
from .senders import Senders
from .shard import Part, Shard


class Rounds:
    """Pulls that wait and rounds that are open, of all shards of a server. answer(asked) makes a pull's letter."""

    def __init__(self, shards: list[Shard], clocks: Clocks, senders: Senders, answer: Callable[[Asked], Mail]):
        self.shards, self.clocks, self.senders, self.answer = shards, clocks, senders, answer
        self.parked: dict[int, list[Asked]] = {}        # pulls that are ahead, by the clock they need
        self.overtaking: list[Asked] = []               # pulls that came before their worker's writes

    def record(self, shard: Shard, clock: int, part: Part) -> None:
        """A push of a worker at `clock` arrived: it waits for its round, or is a step at once."""
        if shard.config.consistency.in_rounds:
            shard.rounds.setdefault(clock, []).append(part)
        else:
            shard.step(part.where, part.vals, t=shard.counts["steps"] + 1)

    def take(self, asked: Asked) -> list[tuple[int, Mail]]:
        """A pull: its answer, or nothing yet."""
        rule = asked.request.shard.config.consistency
        if asked.after_write and not self.senders.has_written(asked.src, asked.life, asked.after_write):
            self.overtaking.append(asked)
        elif not rule.may_read(asked.clock, self.clocks.min_clock):
            self.parked.setdefault(asked.clock - rule.staleness, []).append(asked)
        else:
            return [(asked.src, self.answer(asked))]
        return []

    def waits(self, asked: Asked) -> bool:
        """Whether this very pull came before and still waits."""
        waiting = [other for group in (*self.parked.values(), self.overtaking) for other in group]
        return any(asked[:2] == other[:2] and asked.request.number == other.request.number for other in waiting)

    def written(self) -> list[tuple[int, Mail]]:
        """A write was recorded: answers to the pulls that waited for it."""
        out = []
        if self.overtaking:
            waiting, self.overtaking = self.overtaking, []
            for asked in waiting:
                if asked.life >= self.senders.life(asked.src):
                    out += self.take(asked)
        return out

    def rise(self) -> list[tuple[int, Mail]]:
        """The smallest clock rose: answer the pulls that waited for it, close the rounds now behind, clock by clock.

        The clock can jump when a worker leaves; a pull at clock c still sees the rounds up to c - 1 and not round c.
        """
        low, out = self.clocks.min_clock, []
        waiting = {clock for shard in self.shards for clock in shard.rounds}.union(self.parked)
        for clock in sorted(clock for clock in waiting if clock <= low):
            out += [(asked.src, self.answer(asked)) for asked in self.parked.pop(clock, [])]
            if clock < low:
                for _, answer in out:                       # a view of rows that this round is about to change
                    answer.tensors = [tensor.copy() for tensor in answer.tensors]
                for shard in self.shards:
                    shard.close(clock)
        return out
