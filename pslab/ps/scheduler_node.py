"""A node of a job with a scheduler: how a worker or server joins, meets the others, asks who is where, and leaves.

    all mail of a rank ──sort by kind──> s.nodes, s.go, s.table ...     the Node's own
                                    └──> rows, ack, min ... or push, pull, clock ...     node.mail: for KVWorker, serve

    node = join(comm, "worker", scheduler=4, tables=tables)             returns when all have come
    with KVWorker(node.mail, node.servers, tables) as kv:
        ...
        node.barrier("workers")
    node.leave()
"""

from __future__ import annotations

from collections.abc import Sequence

from pslab.comm import Comm, Mail

from .retry import LONGEST, Outbox
from .scheduler_barriers import GROUPS
from .scheduler_mail import Sorted, is_scheduling, ranges_of, table_lines
from .scheduler_status import ClockWatch, Status
from .server import KVServer
from .serving import answer, begin
from .tables import TableConfig

_STAY = 8           # as KVWorker: the scheduler is asked to stay for so many of the longest waits between two tries


class Node:
    """What `join` gives. id: within the role; workers, servers: ranks by id; ranges: {table: edges of its key ranges}.

    mail: this rank's comm for KVWorker or KVServer. Times that a scheduler measures are its own.
    """

    def __init__(self, comm: Comm, role: str, scheduler: int, tables: Sequence[TableConfig], incarnation: int,
                 retry_s: float | None):
        self.comm, self.role, self.scheduler, self.incarnation = comm, role, scheduler, incarnation
        self.tables, self.id, self.workers, self.servers, self.ranges = list(tables), None, [], [], {}
        self._box, self.mail = Sorted.in_two(comm, is_scheduling)
        self._outbox = Outbox(comm, retry_s)
        self._barriers = dict.fromkeys(GROUPS, 0)
        self._heard, self._left, self._questions, self._table = False, False, 0, None
        self._watch: ClockWatch | None = None

    def barrier(self, group: str = "all", timeout_s: float | None = None) -> None:
        """Return when every node of the group (workers, servers, all) that has not left called it as often.

        TimeoutError, naming who did not come, after timeout_s; that call then counts for nothing.
        """
        if group not in GROUPS or self.role not in GROUPS[group]:
            allowed = [name for name, roles in GROUPS.items() if self.role in roles]
            raise ValueError(f"group={group!r}; a {self.role} is in {' and '.join(map(repr, allowed))}")
        number = self._barriers[group] + 1
        self._questions += 1
        meta = {"g": group, "b": number, "q": self._questions, "n": self.incarnation}
        self._tell("go", "s.barrier", meta if timeout_s is None else {**meta, "t": float(timeout_s)})
        self._until(lambda: self._barriers[group] >= number)

    def status(self) -> Status:
        """Ask the scheduler who is where (it asks a server for the clocks)."""
        self._questions, self._table = self._questions + 1, None
        self._tell("table", "s.status", {"q": self._questions, "n": self.incarnation})
        self._until(lambda: self._table is not None)
        return self._table

    def serve(self, server: KVServer) -> dict:
        """Answer mail until every worker said goodbye, as `pslab.ps.serve`, and the scheduler's questions besides."""
        self._watch, mail = ClockWatch(server, self.tables, self.comm.now()), None
        begin(self.comm, server)
        while True:
            if mail is not None and is_scheduling(mail):
                self._take(mail)
            else:
                if mail is not None:
                    self._watch.see(mail, self.comm.now())
                answer(self.comm, server, mail)
                if server.done:
                    return server.stats()
            waiting = self.mail.box or self._box.box
            due_s = server.next_deadline_s()
            mail = waiting.popleft() if waiting else \
                self.comm.poll(None if due_s is None else max(0.0, due_s - self.comm.now()))

    def leave(self) -> None:
        """Say that this node is done; no barrier waits for it any more."""
        if self._left:
            return
        retry_s = self._outbox.retry_s
        meta = {"n": self.incarnation}
        self._tell("left", "s.leave", meta if retry_s is None else {**meta, "s": _STAY * LONGEST * retry_s})
        try:
            self._until(lambda: self._left)
        except TimeoutError:
            if retry_s is None:
                raise
            # The scheduler heard it, stayed as long as it was asked to, and ended, while each of its answers was lost.
        if retry_s is not None:
            self.comm.post(self.scheduler, "s.leave", meta)     # it need not stay any longer; lost, it stays in vain

    # ---- letters --------------------------------------------------------------------------------------------------

    def _register(self, timeout_s: float | None) -> None:
        meta = {"role": self.role, "n": self.incarnation}
        self._tell("nodes", "s.register", {**meta, "d": table_lines(self.tables)} if self.tables else meta)
        self._until(lambda: self._heard, timeout_s)
        self._until(lambda: self.id is not None)

    def _tell(self, answer: str, kind: str, meta: dict) -> None:
        self._outbox.tell(self.scheduler, answer, kind, meta)

    def _until(self, reached, timeout_s: float | None = None) -> None:
        deadline_s = None if timeout_s is None else self.comm.now() + timeout_s
        while not reached():
            due = [moment_s for moment_s in (deadline_s, self._outbox.due_s()) if moment_s is not None]
            mail = self._box.poll(max(0.0, min(due) - self.comm.now()) if due else None)
            if mail is not None:
                self._take(mail)
            elif deadline_s is not None and self.comm.now() >= deadline_s:
                raise TimeoutError(f"{self.role} at rank {self.comm.rank}: no scheduler answered from rank "
                                   f"{self.scheduler} within {timeout_s:g} s")
            else:
                self._outbox.resend()

    def _take(self, mail: Mail) -> None:
        if self._outbox.retry_s is not None:
            self._outbox.heard(mail.src)
        self._heard = True
        if mail.kind == "s.nodes" and self.id is None:
            self._outbox.settle(mail.src, "nodes")
            self.workers, self.servers, self.ranges = mail.meta["w"], mail.meta["s"], mail.meta["r"]
            self._check_ranges()
            self._barriers.update(mail.meta["b"])
            self.id = mail.meta["i"]
        elif mail.kind == "s.go":
            group = mail.meta["g"]
            if mail.meta["b"] > self._barriers[group]:
                self._barriers[group] = mail.meta["b"]
                self._outbox.settle(mail.src, "go")
        elif mail.kind == "s.table" and mail.meta["q"] == self._questions and self._table is None:
            self._outbox.settle(mail.src, "table")
            self._table = Status.from_dict(mail.meta)
        elif mail.kind == "s.left":
            self._outbox.settle(mail.src, "left")
            self._left = True
        elif mail.kind == "s.ask" and self._watch is not None:
            answer = self._watch.letter(self.comm.rank, self.comm.now())
            self.comm.post(mail.src, answer.kind, answer.meta)
        elif mail.kind == "s.late" and ("q" not in mail.meta or mail.meta["q"] == self._questions):
            self._outbox.settle(mail.src, "go")
            self._questions += 1                            # should it come twice
            raise TimeoutError(mail.meta["w"])
        elif mail.kind == "s.refused" and mail.meta["n"] == self.incarnation:
            raise ValueError(mail.meta["w"])

    def _check_ranges(self) -> None:
        """The ranges that the scheduler hands out are the ones by which this node's tables cut their keys."""
        mine = ranges_of(self.tables, len(self.servers))
        for name in mine.keys() & self.ranges.keys():
            if mine[name] != self.ranges[name]:
                raise ValueError(f"table {name!r}: this node cuts its keys at {mine[name]}, the scheduler at "
                                 f"{self.ranges[name]}")


def join(comm: Comm, role: str, scheduler: int, tables: Sequence[TableConfig] = (), *, incarnation: int = 0,
         retry_s: float | None = None, timeout_s: float | None = None) -> Node:
    """Register with the scheduler of that rank and wait until all have come.

    role: 'worker' or 'server'. tables: to be compared with the scheduler's; () compares nothing. incarnation: rises
    when a node starts again under its rank. retry_s: as of KVWorker, None where no mail is lost. timeout_s: how long
    the scheduler may be silent. ValueError when it refuses; TimeoutError, naming who is missing, when its own time is
    over.
    """
    if role not in ("worker", "server"):
        raise ValueError(f"role={role!r}; allowed: worker, server")
    node = Node(comm, role, scheduler, tables, incarnation, retry_s)
    node._register(timeout_s)
    return node
