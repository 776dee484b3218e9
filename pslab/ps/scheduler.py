"""The scheduler: who takes part in a job, who owns which keys, who waits for whom. A state machine like the server.

    node                                 scheduler                what the scheduler does
    s.register {role n [d]}       ──>    ──> s.wait {w}           noted; w: who is still missing
                                         ──> s.nodes {i w s r b}  when all have come: ids, lists, key ranges
    s.barrier {g b q n [t]}       ──>    ──> s.go {g b}           when every member of group g has come to its b-th
                                         ──> s.late {g q w}       after t seconds: w names who has not
    s.status {q n}                ──>    ──> s.table {q ...}      after asking the first server, below
                       server     <──    s.ask {}                 how far is every worker?
    s.clocks {k}                  ──>                             k: {rank: [clock, seconds there, waits for]}
    s.leave {n [s]}               ──>    ──> s.left {}            it holds nobody up any more
                                         ──> s.refused {k n w}    w says why; nothing changed

    n incarnation (of a node that starts again under its rank)      d what its tables are: they must be those of all
    i id within the role   w, s ranks of workers and servers, by id   r {table: edges of its ranges}   b barriers so far
    Only where letters can be lost: s stay so many seconds, to answer again.

Nodes come in any order, under any rank; all they need to know is the scheduler's rank. Ids follow the ranks within a
role, so they do not depend on who was first. A letter that comes twice, or late, changes nothing and is answered again.
The roles are those of Li et al. (OSDI 2014) and ps-lite, whose nodes meet at a fixed address and port.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Sequence

from pslab.comm import Comm, Mail

from .requests import Again, Refused
from .scheduler_barriers import GROUPS, Barriers, Call
from .scheduler_beside import Beside
from .scheduler_mail import ranges_of, table_lines
from .scheduler_status import Member, Status, status_of
from .tables import TableConfig

ROLES = ("worker", "server")


class Scheduler:
    """Brings num_workers workers and num_servers servers together, and keeps them in view until all have left.

    tables      for the key ranges, and to refuse nodes that were given others; () leaves both out
    timeout_s   from the first call of `handle` until all must have come; then `failed` says who has not. None: no end
    ranks       every rank that might register (to name those that did not)
    status_every_s   how often a fresh `status` is made without being asked for; None: never
    groups      of barriers that this job knows
    """

    def __init__(self, num_workers: int, num_servers: int, tables: Sequence[TableConfig] = (), *,
                 rank: int, timeout_s: float | None = None, ranks: Iterable[int] = (),
                 status_every_s: float | None = None, groups: Iterable[str] = GROUPS):
        for argument, count in (("num_workers", num_workers), ("num_servers", num_servers)):
            if isinstance(count, bool) or not isinstance(count, int) or count < 1:
                raise ValueError(f"{argument}={count!r}; a whole number from 1 is needed")
        for argument, value in (("timeout_s", timeout_s), ("status_every_s", status_every_s)):
            if value is not None and not 0 < value < float("inf"):
                raise ValueError(f"{argument}={value!r}; seconds above 0, or None, is needed")
        self.needed = {"worker": num_workers, "server": num_servers}
        self.rank, self.timeout_s, self.status_every_s = rank, timeout_s, status_every_s
        self.members: dict[int, Member] = {}
        self.failed: str | None = None
        self._groups = [group for group in GROUPS if group in set(groups)]
        self._ranks, self._lines = sorted(set(ranks)), table_lines(tables)
        self._ranges = ranges_of(tables, num_servers)
        self._barriers = Barriers(rank)
        self._began_s, self._now_s = None, 0.0
        self._stay_until_s: dict[int, float] = {}           # by rank: until when it may say again that it leaves
        self._asked: dict[int, int] = {}                    # rank -> q of the status that it waits for
        self._clocks: dict[int, list] = {}
        self._next_status_s, self._wanted, self._fresh = 0.0, False, None

    # ---- the state machine ----------------------------------------------------------------------------------------

    def handle(self, mail: Mail | None, now_s: float) -> list[tuple[int, Mail]]:
        """Act on one letter (None: only time has passed) and give the answers as (dst, mail)."""
        self._now_s = now_s
        if self._began_s is None:
            self._began_s, self._next_status_s = now_s, now_s + (self.status_every_s or 0.0)
        if mail is None:
            return self._time_passed()
        act = self._actions.get(mail.kind)
        try:
            if act is None:
                raise Refused(f"kind={mail.kind!r}; a scheduler takes {', '.join(self._actions)}")
            return act(self, mail)
        except Refused as why:
            meta = {"k": mail.kind, "n": mail.meta.get("n", 0), "w": f"scheduler: {why}"}
            return [(mail.src, Mail(self.rank, "s.refused", meta))]

    def next_deadline_s(self) -> float | None:
        """When `handle(None, now_s)` is due though no mail came; None: only mail matters."""
        due = [self._barriers.next_deadline_s()]
        if not self.complete and self.timeout_s is not None and self._began_s is not None:
            due.append(self._began_s + self.timeout_s)
        if self.status_every_s is not None and not self.all_left:
            due.append(self._next_status_s)
        if self.all_left and not self.done:
            due.append(max(self._stay_until_s.values()))
        return min((moment_s for moment_s in due if moment_s is not None), default=None)

    @property
    def complete(self) -> bool:
        """Whether all workers and servers have come."""
        return len(self.members) == sum(self.needed.values())

    @property
    def all_left(self) -> bool:
        return self.complete and all(member.left_s is not None for member in self.members.values())

    @property
    def done(self) -> bool:
        """Every node has left, and the time that they asked the scheduler to stay is over; or not all have come."""
        return self.failed is not None or (self.all_left and self._now_s >= max(self._stay_until_s.values()))

    def of_role(self, role: str) -> list[int]:
        """Ranks of the nodes of a role, by id."""
        return sorted(member.rank for member in self.members.values() if member.role == role)

    def missing(self) -> str:
        """Who has not come, in words; '' when all have."""
        here = {role: len(self.of_role(role)) for role in ROLES}
        few = [f"{need - here[role]} of {need} {role}{'s' * (need > 1)}" for role, need in self.needed.items()
               if here[role] < need]
        silent = [rank for rank in self._ranks if rank not in self.members and rank != self.rank]
        names = f" (not a word from rank{'s' * (len(silent) > 1)} {', '.join(map(str, silent))})" if silent else ""
        return " and ".join(few) + names if few else ""

    def status(self) -> Status:
        """Who is where, as far as it is known now: clocks are those that the first server told last."""
        return status_of(self, self._barriers, self._clocks, self._now_s)

    def fresh_status(self) -> Status | None:
        """The status that became due and was not taken yet."""
        status, self._fresh = self._fresh, None
        return status

    # ---- one method a kind of mail --------------------------------------------------------------------------------

    def _register(self, mail: Mail) -> list[tuple[int, Mail]]:
        role, life = mail.meta.get("role"), _whole(mail, "n")
        if role not in ROLES:
            raise Refused(f"role={role!r}; allowed: {', '.join(ROLES)}")
        known = self.members.get(mail.src)
        if known is not None:
            self._check_life(known, life)
            if known.role != role:
                raise Refused(f"rank {mail.src} registered as {known.role} before, and as {role} now")
            if known.left_s is not None and life > known.incarnation:
                raise Refused(f"{role} {known.id} (rank {mail.src}) has left; servers take nothing from it any more")
            if life > known.incarnation:
                known.incarnation, known.came_s = life, self._now_s
                self._barriers.forget(mail.src)
            return [self._welcome(known, Again)]
        here = self.of_role(role)
        if len(here) == self.needed[role]:
            raise Refused(f"rank {mail.src} is one {role} too many: {len(here)} of {self.needed[role]} are here, "
                           f"at rank{'s' * (len(here) > 1)} {', '.join(map(str, here))}")
        self._check_tables(mail)
        self.members[mail.src] = Member(role, mail.src, life, self._now_s)
        if not self.complete:
            return [self._welcome(self.members[mail.src])]
        for each in ROLES:
            for number, rank in enumerate(self.of_role(each)):
                self.members[rank].id = number
        return [self._welcome(member) for member in sorted(self.members.values(), key=lambda member: member.rank)]

    def _barrier(self, mail: Mail) -> list[tuple[int, Mail]]:
        member, group, number = self._member(mail), mail.meta.get("g"), _whole(mail, "b")
        if group not in self._groups or member.role not in GROUPS[group]:
            allowed = [name for name in self._groups if member.role in GROUPS[name]] or ["none"]
            raise Refused(f"a {member.role} of this job meets others in: {', '.join(allowed)}; not in {group!r}")
        timeout_s = mail.meta.get("t")
        call = Call(mail.src, mail.meta.get("q", 0), self._now_s,
                    None if timeout_s is None else self._now_s + timeout_s)
        return self._barriers.arrive(group, number, call, self._in_group)

    def _status(self, mail: Mail) -> list[tuple[int, Mail]]:
        number = _whole(mail, "q")
        self._asked[mail.src] = max(number, self._asked.get(mail.src, 0))
        return self._ask_clocks()

    def _clocks_come(self, mail: Mail) -> list[tuple[int, Mail]]:
        if self._member(mail).role != "server":
            raise Refused(f"s.clocks from rank {mail.src}, which is no server")
        self._clocks = {int(rank): entry for rank, entry in mail.meta["k"].items()}
        return self._tell_status()

    def _leave(self, mail: Mail) -> list[tuple[int, Mail]]:
        member, stay_s = self._member(mail), mail.meta.get("s", 0.0)
        again = member.left_s is not None
        self._stay_until_s[mail.src] = self._now_s + stay_s
        if again and not stay_s:
            return []                                       # it has the answer
        self._asked.pop(mail.src, None)
        out = []
        if not again:
            member.left_s = self._now_s
            out = self._barriers.left(mail.src, self._in_group)
            if member.role == "server" and self._asked:
                out += self._ask_clocks()                   # perhaps it was the one that was asked
        return [*out, (mail.src, (Again if again else Mail)(self.rank, "s.left", {}))]

    _actions: dict[str, Callable] = {       # noqa: RUF012
        "s.register": _register, "s.barrier": _barrier, "s.status": _status, "s.clocks": _clocks_come,
        "s.leave": _leave}

    # ---- time -----------------------------------------------------------------------------------------------------

    def _time_passed(self) -> list[tuple[int, Mail]]:
        out = self._barriers.time_passed(self._now_s, self._in_group, self._name)
        if not self.complete and self.failed is None and self._now_s >= self._began_s + (self.timeout_s or math.inf):
            here = ", ".join(f"{member.role} at rank {rank}" for rank, member in sorted(self.members.items()))
            self.failed = (f"rendezvous: {self.missing()} did not come within {self.timeout_s:g} s; "
                           f"registered: {here or 'nobody'}")
            out += [(rank, Mail(self.rank, "s.late", {"w": self.failed})) for rank in sorted(self.members)]
        if self.status_every_s is not None and self._now_s >= self._next_status_s and not self.all_left:
            self._next_status_s = self._now_s + self.status_every_s
            self._wanted = True
            out += self._ask_clocks()
        return out

    def _ask_clocks(self) -> list[tuple[int, Mail]]:
        """The first server that is here knows every worker's clock; without one the status tells no clocks."""
        here = [rank for rank in self.of_role("server") if self.members[rank].left_s is None]
        return [(here[0], Mail(self.rank, "s.ask", {}))] if self.complete and here else self._tell_status()

    def _tell_status(self) -> list[tuple[int, Mail]]:
        status = self.status()
        if self._wanted:
            self._wanted, self._fresh = False, status
        asked, self._asked = self._asked, {}
        return [(rank, Mail(self.rank, "s.table", {"q": number, **status.as_dict()}))
                for rank, number in asked.items()]

    # ---- members --------------------------------------------------------------------------------------------------

    def _welcome(self, member: Member, kind: type = Mail) -> tuple[int, Mail]:
        if not self.complete:
            return member.rank, kind(self.rank, "s.wait", {"w": self.missing()})
        return member.rank, kind(self.rank, "s.nodes", {
            "i": member.id, "w": self.of_role("worker"), "s": self.of_role("server"), "r": self._ranges,
            "b": self._barriers.released()})

    def _in_group(self, group: str) -> list[int]:
        return [rank for rank, member in self.members.items() if member.role in GROUPS[group] and member.left_s is None]

    def _name(self, rank: int) -> str:
        return f"{self.members[rank].role} {self.members[rank].id} (rank {rank})"

    def _member(self, mail: Mail) -> Member:
        member = self.members.get(mail.src)
        if member is None or not self.complete:
            raise Refused(f"{mail.kind} from rank {mail.src}, which did not register" if member is None else
                           f"{mail.kind} from rank {mail.src} before all have come: {self.missing()} missing")
        self._check_life(member, mail.meta.get("n", member.incarnation))
        return member

    def _check_life(self, member: Member, life: int) -> None:
        if life < member.incarnation:
            raise Refused(f"incarnation {life} of {member.role} at rank {member.rank} was replaced by "
                           f"{member.incarnation}")

    def _check_tables(self, mail: Mail) -> None:
        theirs = mail.meta.get("d")
        if not theirs or not self._lines or theirs == self._lines:
            return
        for mine, other in zip([*self._lines, "no further table"], [*theirs, "no further table"], strict=False):
            if mine != other:
                raise Refused(f"rank {mail.src} has other tables than the scheduler: {other!r} instead of {mine!r}")


def _whole(mail: Mail, name: str) -> int:
    value = mail.meta.get(name)
    if type(value) is not int or value < 0:
        raise Refused(f"{mail.kind} with {name}={value!r}; a whole number from 0 is needed")
    return value


def serve_scheduler(comm: Comm, scheduler: Scheduler, *, make_server=None, tables: Sequence[TableConfig] = (),
                    on_status: Callable[[Status], None] | None = None) -> Status:
    """Answer mail until every node has left; gives the last status. TimeoutError when not all came in time.

    make_server   this rank is a server too: make_server(index, num_servers, workers) gives its KVServer once all have
                  come; `tables` are that server's. Letters go to the one or the other by their kind
    on_status     called with each status that status_every_s asks for; None: comm.report(status.as_dict())
    """
    beside = Beside(comm, scheduler, make_server, tables)
    while True:
        if scheduler.failed is not None:
            raise TimeoutError(scheduler.failed)
        status = scheduler.fresh_status()
        if status is not None:
            comm.report(status.as_dict()) if on_status is None else on_status(status)
        if scheduler.done and beside.done:
            return scheduler.status()
        due = [moment_s for moment_s in (scheduler.next_deadline_s(), beside.next_deadline_s()) if moment_s is not None]
        beside.handle(comm.poll(max(0.0, min(due) - comm.now()) if due else None), comm.now())
