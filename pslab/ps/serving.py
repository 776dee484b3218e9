"""A server in a world: letters are polled, handed to its state machine, and its answers posted."""

from __future__ import annotations

from collections.abc import Callable

from pslab.comm import Comm, Mail

from .requests import Again
from .server import KVServer


def serve(comm: Comm, server: KVServer, after: Callable[[], None] | None = None) -> dict:
    """Answer mail until every worker said goodbye; gives the server's `stats()`. after: called after every letter."""
    mail = None
    begin(comm, server)
    while True:
        answer(comm, server, mail)
        if after is not None:
            after()
        if server.done:
            return server.stats()
        due_s = server.next_deadline_s()
        mail = comm.poll(None if due_s is None else max(0.0, due_s - comm.now()))


def begin(comm: Comm, server: KVServer) -> None:
    """To be called once, before the first `answer`."""
    if comm.shares_memory:
        server.answer_from(comm.empty)


def answer(comm: Comm, server: KVServer, mail: Mail | None) -> None:
    """Let the server act on one letter (None: only time has passed), and post its answers."""
    post_all(comm, server.handle(mail, comm.now()), give=comm.shares_memory)
    if mail is not None:
        mail.release()


def post_all(comm: Comm, letters: list[tuple[int, Mail]], give: bool = False) -> None:
    """Post the answers (dst, mail) of a state machine. give: their tensors are in nobody else's hands."""
    options = {"give": True} if give else {}
    for dst, letter in letters:
        again = {"retry": True} if isinstance(letter, Again) else {}
        comm.post(dst, letter.kind, letter.meta, letter.tensors, **again, **options)
