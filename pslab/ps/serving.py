"""A server in a world: letters are polled, handed to its state machine, and its answers posted."""

from __future__ import annotations

from pslab.comm import Comm

from .requests import Again
from .server import KVServer


def serve(comm: Comm, server: KVServer) -> dict:
    """Answer mail until every worker said goodbye; gives the server's `stats()`."""
    mail, give = None, {"give": True} if comm.shares_memory else {}
    if give:
        server.answer_from(comm.empty)
    while True:
        for dst, answer in server.handle(mail, comm.now()):
            again = {"retry": True} if isinstance(answer, Again) else {}
            comm.post(dst, answer.kind, answer.meta, answer.tensors, **again, **give)
        if mail is not None:
            mail.release()
        if server.done:
            return server.stats()
        due_s = server.next_deadline_s()
        mail = comm.poll(None if due_s is None else max(0.0, due_s - comm.now()))
