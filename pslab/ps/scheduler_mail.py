"""The letters of the scheduler beside those of server and worker: kept apart by kind, and what they say of tables."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Sequence

from pslab.comm import Comm, Mail

from .partition import RangePartition
from .tables import TableConfig


class Sorted:
    """A comm whose `poll` gives only the letters that it takes; the others wait at its other side. Else as the comm."""

    def __init__(self, comm: Comm, takes: Callable[[Mail], bool]):
        self._comm, self._takes, self.box, self._other = comm, takes, deque(), None

    @classmethod
    def in_two(cls, comm: Comm, first: Callable[[Mail], bool]) -> tuple[Sorted, Sorted]:
        """(a side for the letters of which first(mail) is true, one for the rest)."""
        sides = cls(comm, first), cls(comm, lambda mail: not first(mail))
        sides[0]._other, sides[1]._other = sides[1], sides[0]
        return sides

    def poll(self, timeout_s: float | None = None) -> Mail | None:
        """As Comm.poll."""
        if self.box:
            return self.box.popleft()
        deadline_s = None if timeout_s is None else self._comm.now() + timeout_s
        while True:
            mail = self._comm.poll(timeout_s if deadline_s is None else max(0.0, deadline_s - self._comm.now()))
            if mail is None or self._takes(mail):
                return mail
            self._other.box.append(mail)

    def __getattr__(self, name: str):
        return getattr(self._comm, name)


def is_scheduling(mail: Mail) -> bool:
    """Whether a letter is one between a node and the scheduler."""
    return mail.kind.startswith("s.")


def ranges_of(tables: Sequence[TableConfig], num_servers: int) -> dict[str, list[int]]:
    """{table: edges}: server s owns the keys edges[s] <= key < edges[s + 1]; tables cut in ranges only."""
    bound = {table.name: table.partition.bind(table.num_rows, num_servers) for table in tables
             if isinstance(table.partition, RangePartition) and table.num_rows is not None}
    return {name: [int(partition.bounds(server)[0]) for server in range(num_servers)]
            + [int(partition.bounds(num_servers - 1)[1])] for name, partition in bound.items()}


def table_lines(tables: Sequence[TableConfig]) -> list[str]:
    """What nodes must agree on, a line a table; the same text in every process."""
    return [f"{table.name}: {table.num_rows} rows of {table.dim}{', bfloat16' if table.dtype == 'bfloat16' else ''}, "
            f"{type(table.rule).__name__}, {table.consistency!r}, {table.partition!r}" for table in tables]
