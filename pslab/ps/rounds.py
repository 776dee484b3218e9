"""The server's side of consistency: which pulls wait, and when a round closes.

    pull at clock c ──may_read?── yes ──> answered at once
                          │ no
                        parked by the clock it needs ──────────┐
    clock / bye ──> Clocks ── the smallest rose ──> for every clock now reached, in order:
                                                      answer the pulls parked for it, then close that round (one step)

What a model demands stands in consistency.py; here is only what a server does about it. A pull that overtook its
worker's own writes (where letters can be lost) waits for them first. Where some workers are not waited for
(BSP(backup=b)), all are held to the number of the round that is open, and a push that comes late is dropped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from pslab.comm import Mail

from .applied import Applied, keys_of
from .clocks import Clocks
from .dtypes import copy_of
from .per_range import PerRange
from .requests import Asked
from .senders import Senders
from .shard import Part, Shard


class Rounds:
    """Pulls that wait and rounds that are open, of all shards of a server. answer(asked) makes a pull's letter.

    applied: what notes every step, or None.
    """

    def __init__(self, shards: list[Shard], clocks: Clocks, senders: Senders, answer: Callable[[Asked], Mail],
                 applied: Applied | None = None):
        self.shards, self.clocks, self.senders, self.answer, self.applied = shards, clocks, senders, answer, applied
        backups = sorted({shard.config.consistency.backup for shard in shards})
        # Pulls that are ahead, by the clock they need, apart for each number of workers that are not waited for.
        self.parked: dict[int, dict[int, list[Asked]]] = {backup: {} for backup in backups}
        self._steps: dict[tuple, int] = {}              # of a range with its own model: steps on arrival
        self.overtaking: list[Asked] = []               # pulls that came before their worker's writes

    def record(self, shard: Shard, clock: int, part: Part) -> None:
        """A push of a worker at `clock` arrived: it waits for its round, or is a step; too late, it is dropped."""
        model = shard.config.consistency
        if model.backup and clock < self.clocks.level(model.backup):
            self._count_late(shard, 1)
        elif isinstance(model, PerRange):
            for number, piece in _pieces(shard, model, part):
                t = self._steps.get((shard.config.name, number), 0) + 1
                self._record(shard, model.ranges[number][2], clock, piece, t)
                self._steps[shard.config.name, number] = t
        else:
            self._record(shard, model, clock, part, shard.counts["steps"] + 1)

    def _record(self, shard: Shard, model, clock: int, part: Part, t: int) -> None:
        if model.in_rounds:
            if not part.vals.flags.writeable:               # they lie in the worker's memory, and go back there
                part = part._replace(vals=part.vals.copy())
            shard.rounds.setdefault(clock, []).append(part)
            return
        shard.step(part.where, part.vals, t=t)
        if self.applied is not None:
            self.applied.pushes(shard, clock, [part])

    def take(self, asked: Asked) -> list[tuple[int, Mail]]:
        """A pull: its answer, or nothing yet."""
        rule = _model(asked.request)
        low = self.clocks.level(rule.backup)
        if asked.after_write and not self.senders.has_written(asked.src, asked.life, asked.after_write):
            self.overtaking.append(asked)
        elif not rule.may_read(asked.clock, low):
            self.parked[rule.backup].setdefault(asked.clock - rule.staleness, []).append(asked)
        else:
            return [(asked.src, self.answer(asked))]
        return []

    def waits(self, asked: Asked) -> bool:
        """Whether this very pull came before and still waits."""
        groups = [group for parked in self.parked.values() for group in parked.values()]
        waiting = [other for group in (*groups, self.overtaking) for other in group]
        return any(asked[:2] == other[:2] and asked.request.number == other.request.number
                   and asked.request.both == other.request.both for other in waiting)

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
        out: list[tuple[int, Mail]] = []
        for backup in self.parked:
            self._rise(backup, [shard for shard in self.shards if shard.config.consistency.backup == backup], out)
        return out

    def _rise(self, backup: int, shards: list[Shard], out: list[tuple[int, Mail]]) -> None:
        low, parked = self.clocks.level(backup), self.parked[backup]
        waiting = {clock for shard in shards for clock in shard.rounds}.union(parked)
        for clock in sorted(clock for clock in waiting if clock <= low):
            out += [(asked.src, self.answer(asked)) for asked in parked.pop(clock, [])]
            if clock < low:
                for _, answer in out:                       # a view of rows that this round is about to change
                    answer.tensors = [copy_of(tensor) for tensor in answer.tensors]
                for shard in shards:
                    self._close(shard, clock, backup)

    def _close(self, shard: Shard, clock: int, backup: int) -> None:
        parts, times = shard.rounds.get(clock, []), 1.0
        if backup and parts:
            left_at = self.clocks.left_at
            used = {worker for worker in self.clocks.of if self.clocks.ended(worker, clock)}
            used |= {part.worker for part in parts if left_at.get(part.worker) == clock}
            shard.rounds[clock] = [part for part in parts if part.worker in used]
            self._count_late(shard, len(parts) - len(shard.rounds[clock]))
            parts = shard.rounds[clock]
            times = len(self.clocks.of) / max(1, len(used))     # their mean, where workers scale as if all had come
        if self.applied is not None and parts:
            self.applied.pushes(shard, clock, parts)
        shard.close(clock, times)

    @staticmethod
    def _count_late(shard: Shard, pushes: int) -> None:
        shard.counts["late"] = shard.counts.get("late", 0) + pushes


def _model(request):
    """What a request must wait for."""
    model = request.shard.config.consistency
    return model.over(keys_of(request.shard, request.where)) if isinstance(model, PerRange) else model


def _pieces(shard: Shard, model: PerRange, part: Part) -> Iterator[tuple[int, Part]]:
    """A push cut where models change: (number of the range, its piece)."""
    for number, at in model.split(keys_of(shard, part.where)):
        yield number, part._replace(where=part.where[at], vals=part.vals[at], bounds=model.ranges[number][:2])
