"""One operation of a recorded run, and how it travels. See history.py."""

from __future__ import annotations

from dataclasses import dataclass, field

WRITES = ("push", "set")


@dataclass
class Op:
    """One operation of a worker. `clock` is the worker's clock as it began; of a clock(): the clock that it began.

    number: which write of this worker to this table, from 0 (of push and set). saw: of a pull, key -> the writes in
    the row, as {(worker, number): times}; None where it never ended. end_s: None if it never did.
    """

    kind: str                                       # push, set, init, pull, clock or bye
    worker: int
    clock: int
    start_s: float
    end_s: float | None = None
    table: str = ""
    keys: tuple[int, ...] = ()
    number: int = -1
    saw: dict | None = None
    unread: str = ""                                # of a pull: why its rows are no sum of pushes
    pieces: list = field(default_factory=list)      # [server rank, incarnation, number there, keys, length of its log]
    vals: list | None = None                        # what was pushed or pulled, where values are kept
    given_up_s: float | None = None                 # when its worker started again and did not wait for it any more

    def ended_by(self, moment_s: float) -> bool:
        return self.end_s is not None and self.end_s <= moment_s

    def under_way(self, moment_s: float) -> bool:
        return not self.ended_by(moment_s) and (self.given_up_s is None or self.given_up_s > moment_s)

    @property
    def may_be_lost(self) -> bool:
        """Whether nobody can say if it arrived: its worker was gone before the answer came."""
        return self.end_s is None and self.given_up_s is not None


def to_plain(op: Op) -> list:
    """An operation as lists, numbers and strings, which travel between processes."""
    saw = None if op.saw is None else [[key, [[*write, times] for write, times in seen.items()]]
                                       for key, seen in op.saw.items()]
    return [op.kind, op.worker, op.clock, op.start_s, op.end_s, op.table, list(op.keys), op.number, saw, op.unread,
            op.pieces, op.vals, op.given_up_s]


def from_plain(plain: list) -> Op:
    *head, keys, number, saw, unread, pieces, vals, given_up_s = plain
    if saw is not None:
        saw = {key: {(worker, number): times for worker, number, times in seen} for key, seen in saw}
    return Op(*head, tuple(keys), number, saw, unread, pieces, vals, given_up_s)
