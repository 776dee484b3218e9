"""A whole server job from its roles: rendezvous, the workers' function, servers until all workers said goodbye.

    def work(node, kv, steps):                     a worker's part; node.id, node.workers, node.barrier(), node.status()
        for _ in range(steps):
            rows = kv.wait(kv.pull(keys, "user"))
            kv.push(keys, gradients(rows), "user")
            kv.clock()

    def program(comm):                             the same in SimWorld, ProcessWorld and TorchWorld
        return cluster(comm, work, tables, num_workers=2, num_servers=1, args=(10,))

    SimWorld(4).run(program)                       two workers, a server, the scheduler
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from pslab.comm import Comm

from .scheduler import Scheduler, serve_scheduler
from .scheduler_node import join
from .server import KVServer
from .tables import TableConfig
from .worker import KVWorker

PLACES = ("own", "server")


def cluster(comm: Comm, work: Callable, tables: Sequence[TableConfig], num_workers: int, num_servers: int = 1, *,
            args: Sequence = (), scheduler: str = "own", roles: Sequence[str] | None = None,
            retry_s: float | None = None, timeout_s: float | None = None, status_every_s: float | None = None,
            at_end: Callable | None = None, **worker_options):
    """Play this rank's part; on a worker gives what work(node, kv, *args) returned. Barriers here are those of workers.

    On a server gives at_end(server), or the server's stats(); on a scheduler of its own rank the last status, as a
    dict. A scheduler that lives with the first server (scheduler='server') gives what that server gives.

    roles           'worker', 'server' or 'scheduler' of every rank, in any order; None: workers, servers, scheduler
    retry_s         as of KVWorker and join: None where no mail is lost
    timeout_s       seconds until all must have come: else TimeoutError, which names who is missing
    status_every_s  how often the status is handed to the caller's on_report, as a dict (Status.from_dict)
    worker_options  of KVWorker: cache_rows, ...
    """
    if scheduler not in PLACES:
        raise ValueError(f"scheduler={scheduler!r}; allowed: {', '.join(map(repr, PLACES))} (with the first server)")
    alone = ["scheduler"] if scheduler == "own" else []
    roles = ["worker"] * num_workers + ["server"] * num_servers + alone if roles is None else list(roles)
    wanted = {"worker": num_workers, "server": num_servers, "scheduler": len(alone)}
    if len(roles) != comm.world_size or any(roles.count(role) != count for role, count in wanted.items()):
        raise ValueError(f"roles={roles!r}; this world has {comm.world_size} ranks, and num_workers={num_workers}, "
                         f"num_servers={num_servers}, scheduler={scheduler!r} need "
                         + ", ".join(f"{count} {role}" for role, count in wanted.items()))
    home, role = roles.index("scheduler" if alone else "server"), roles[comm.rank]

    def make_server(index: int, servers: int, workers: list[int]) -> KVServer:
        made.append(KVServer(tables, index, servers, workers, comm.rank))
        return made[-1]

    made: list[KVServer] = []
    if comm.rank == home:
        status = serve_scheduler(
            comm, Scheduler(num_workers, num_servers, tables, rank=comm.rank, timeout_s=timeout_s,
                            ranks=range(comm.world_size), status_every_s=status_every_s, groups=["workers"]),
            make_server=None if alone else make_server, tables=tables)
        return status.as_dict() if alone else _end(made[0], at_end)
    node = join(comm, role, home, tables, retry_s=retry_s)
    if role == "server":
        node.serve(make_server(node.id, len(node.servers), node.workers))
        node.leave()
        return _end(made[0], at_end)
    with KVWorker(node.mail, node.servers, tables, retry_s=retry_s, **worker_options) as kv:
        result = work(node, kv, *args)
    node.leave()
    return result


def _end(server: KVServer, at_end: Callable | None):
    return server.stats() if at_end is None else at_end(server)
