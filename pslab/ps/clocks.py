"""Who is how far: the workers' clocks as one server knows them.

    worker   0  1  2  3
    clock    5  3  4  GONE      min_clock = 3: worker 1 holds the others to their staleness, worker 3 nobody
                                front with one backup worker = 4: two workers ended round 3, and worker 1 is late
"""

from __future__ import annotations

from collections.abc import Iterable

GONE = 2**62    # the clock of a worker that said goodbye: it holds nobody up


class Clocks:
    """The clocks of K workers as one server knows them; `min_clock` is GONE when all have left.

    backups: for which numbers of backup workers (above 0) to keep the round that is open, `level(backup)`.
    """

    def __init__(self, workers: Iterable[int], backups: Iterable[int] = ()):
        self.of = dict.fromkeys(workers, 0)
        self.left_at: dict[int, int] = {}               # the last clock of those that said goodbye
        self.min_clock = 0
        self._fronts = dict.fromkeys(sorted(set(backups)), 0)
        self._skipped: dict[int, list[range]] = {}      # rounds that a late worker left out

    def advance(self, worker: int, clock: int, skipped_to: int = 0) -> bool:
        """A worker's clock is at least `clock`; True when the smallest clock, or a front, rose.

        Old news changes nothing. skipped_to: the round that it did, where it left out those before.
        """
        before = (self.min_clock, *self._fronts.values())
        if clock > self.of[worker]:
            if skipped_to > self.of[worker]:
                self._skipped.setdefault(worker, []).append(range(self.of[worker], skipped_to))
            self.of[worker] = clock
        self.min_clock = min(self.of.values())
        for backup in self._fronts:
            self._advance_front(backup)
        return (self.min_clock, *self._fronts.values()) != before

    def leave(self, worker: int) -> bool:
        self.left_at.setdefault(worker, self.of[worker])
        return self.advance(worker, GONE)

    def has_left(self, worker: int) -> bool:
        return self.of[worker] == GONE

    # ---- backup workers -------------------------------------------------------------------------------------------

    def level(self, backup: int) -> int:
        """The round that is open where so many workers are not waited for; with 0 the smallest clock."""
        return self._fronts[backup] if backup else self.min_clock

    @property
    def fronts(self) -> list[int]:
        """level(backup) of each number of backup workers, ascending."""
        return list(self._fronts.values())

    def ended(self, worker: int, round_: int) -> bool:
        """Whether a worker did this round and ended it by its clock."""
        if any(round_ in rounds for rounds in self._skipped.get(worker, ())):
            return False
        return self.left_at.get(worker, self.of[worker]) > round_

    def _advance_front(self, backup: int) -> None:
        if self.min_clock >= GONE:
            self._fronts[backup] = GONE
        while self._fronts[backup] < GONE:
            front = self._fronts[backup]
            ended = sum(self.ended(worker, front) for worker in self.of)
            may_yet = sum(clock <= front for clock in self.of.values())
            if ended < min(len(self.of) - backup, ended + may_yet):
                return
            self._fronts[backup] = front + 1
