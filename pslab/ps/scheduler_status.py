"""Who is at which clock, who waits for whom, and for how long: as data and as a table.

    node      rank  state     clock  waits for           for
    worker 0  0     waiting   5      worker 2            0.31 s
    worker 1  1     running   5                          0.02 s
    worker 2  2     running   4                          0.33 s
    server 0  3     serving

Clocks are known to every server, so the scheduler asks one of them when it is asked itself; no letter is sent for a
status that nobody wants to see.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass

from pslab.comm import Mail

from .tables import TableConfig


@dataclass
class Member:
    """One node that registered. left_s: when it said that it leaves."""

    role: str
    rank: int
    incarnation: int
    came_s: float
    id: int | None = None
    left_s: float | None = None


@dataclass(frozen=True)
class Row:
    """One node. state: missing, registered, running, waiting, barrier, serving or left. waits_for: ranks.

    for_s: seconds in this state (running, waiting: at this clock). rank None: a node that has not come yet.
    """

    role: str
    id: int | None
    rank: int | None
    state: str
    clock: int | None = None
    waits_for: tuple[int, ...] = ()
    for_s: float | None = None
    note: str = ""
    incarnation: int = 0


@dataclass(frozen=True)
class Status:
    """A job at one moment, now_s: its nodes by role and id."""

    now_s: float
    rows: tuple[Row, ...]

    def as_dict(self) -> dict:
        """Plain numbers, strings and lists: travels as mail, and through comm.report."""
        return {"now_s": self.now_s, "rows": [{**asdict(row), "waits_for": list(row.waits_for)} for row in self.rows]}

    @classmethod
    def from_dict(cls, data: dict) -> Status:
        return cls(data["now_s"], tuple(Row(**{**row, "waits_for": tuple(row["waits_for"])}) for row in data["rows"]))

    def row(self, rank: int) -> Row:
        """The node of a rank; KeyError when none is known."""
        return {row.rank: row for row in self.rows}[rank]

    def table(self) -> str:
        """The table above, for people."""
        names = {row.rank: f"{row.role} {row.id}" if row.id is not None else f"rank {row.rank}" for row in self.rows}
        lines = [("node", "rank", "state", "clock", "waits for", "for", "")]
        for row in self.rows:
            lines.append((f"{row.role} {'?' if row.id is None else row.id}", "?" if row.rank is None else str(row.rank),
                          row.state, "" if row.clock is None else str(row.clock),
                          ", ".join(names.get(rank, f"rank {rank}") for rank in row.waits_for),
                          "" if row.for_s is None else f"{row.for_s:.3g} s", row.note))
        widths = [max(len(line[i]) for line in lines) for i in range(len(lines[0]))]
        return "\n".join("  ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
                         for line in lines)

    __str__ = table


def status_of(scheduler, barriers, clocks: dict[int, list], now_s: float) -> Status:
    """What the scheduler knows; clocks: {rank: [clock, seconds at it, ranks it waits for]} as a server told."""
    rows = []
    for role, need in scheduler.needed.items():
        ranks = scheduler.of_role(role)
        for rank in ranks:
            rows.append(_row(scheduler, barriers, clocks, scheduler.members[rank], now_s))
        rows += [Row(role, None, None, "missing") for _ in range(need - len(ranks))]
    return Status(now_s, tuple(rows))


def _row(scheduler, barriers, clocks, member, now_s: float) -> Row:
    known = {"role": member.role, "id": member.id, "rank": member.rank, "incarnation": member.incarnation}
    clock, at_s, waits_for = clocks.get(member.rank, [None, None, []])
    if member.left_s is not None:
        return Row(**known, state="left", clock=clock, for_s=now_s - member.left_s)
    if not scheduler.complete:
        return Row(**known, state="registered", for_s=now_s - member.came_s, note=f"waits for {scheduler.missing()}")
    waiting = barriers.waiting(member.rank)
    if waiting is not None:
        group, since_s = waiting
        return Row(**known, state="barrier", clock=clock, for_s=now_s - since_s, note=f"barrier of {group}",
                   waits_for=tuple(barriers.absent(group, scheduler._in_group)))
    if member.role == "server":
        return Row(**known, state="serving")
    state = "waiting" if waits_for else "running"
    return Row(**known, state=state, clock=clock, waits_for=tuple(waits_for), for_s=at_s)


class ClockWatch:
    """Reads the letters that a server gets, to tell the scheduler how far every worker is and since when."""

    def __init__(self, server, tables: list[TableConfig], now_s: float):
        self.models = sorted((table.consistency for table in tables), key=lambda model: model.staleness)
        self.clock = dict.fromkeys(server.workers, 0)
        self._since_s = dict.fromkeys(server.workers, now_s)
        self._gone: set[int] = set()

    def see(self, mail: Mail, now_s: float) -> None:
        if mail.src not in self.clock:
            return
        if mail.kind == "clock" and type(mail.meta.get("c")) is int and mail.meta["c"] > self.clock[mail.src]:
            self.clock[mail.src], self._since_s[mail.src] = mail.meta["c"], now_s
        elif mail.kind == "bye":
            self._gone.add(mail.src)

    def letter(self, rank: int, now_s: float) -> Mail:
        """s.clocks: {rank: [clock, seconds at it, ranks that it waits for]}."""
        told = {worker: [clock, now_s - self._since_s[worker], self._waits_for(worker)]
                for worker, clock in self.clock.items()}
        return Mail(rank, "s.clocks", {"k": told})

    def _waits_for(self, worker: int) -> list[int]:
        """A worker that may not begin its round waits for those whose clocks forbid it.

        By the smallest clock of those here; with b backup workers by the smallest of the K - b that are furthest.
        """
        clock, here = self.clock[worker], {rank: of for rank, of in self.clock.items() if rank not in self._gone}
        for model in self.models:
            counted = sorted(here.values())[max(0, len(here) - max(1, len(self.clock) - model.backup)):]
            if worker in here and not model.may_read(clock, counted[0]):
                return [other for other, theirs in here.items() if not model.may_read(clock, theirs)]
        return []
