"""Rows in another rank's memory, read and written by letters.

    rank 0: RemoteStore(comm, owner=1)                       rank 1: serve_rows(comm, MemoryStore(...), clients=[0])
      read(ids)   ──"read" ids──────────────────────────>      store.read(ids)
      rows        <─"rows" rows─────────────────────────       8 n bytes there, 4 n width back
      write(ids, rows) ──"write" ids, rows──────────────>      store.write(ids, rows)   ──"done"──>
      flush, close ──"flush"───────────────────────────>       store.flush()            ──"done"──>

The store that the owner serves may be of any kind. What it refuses is raised by the one who asked. ServerStore does the
same over the servers of pslab.ps, which spread the rows.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from pslab.comm import Comm
from pslab.ps import KVWorker

from .store import RowStore

_ERRORS = {kind.__name__: kind for kind in (ValueError, OSError, BlockingIOError)}


class RemoteStore(RowStore):
    """The rows that rank `owner` of comm serves. It reads all mail of comm: give it one of its own (comm.split).

    A comm belongs to one thread, so nothing is prefetched from here. No letter may be lost on the way.
    """

    threads = False

    def __init__(self, comm: Comm, owner: int):
        self.comm, self.owner = comm, owner
        self._steps = 0
        shape = self._ask("shape").meta
        self._steps = shape["steps"]
        super().__init__(shape["num_rows"], shape["width"])

    @property
    def name(self) -> str:
        return f"RemoteStore at rank {self.owner}"

    @property
    def steps(self) -> int:
        return self._steps

    @steps.setter
    def steps(self, value: int) -> None:
        self._steps = value

    def _ask(self, kind: str, *tensors, **meta):
        self.comm.post(self.owner, kind, meta, tensors)
        mail = self.comm.poll()
        if mail.src != self.owner or mail.kind not in ("rows", "done", "error"):
            raise ValueError(f"{self.name}: a letter {mail.kind!r} of rank {mail.src} came instead of an answer; the "
                             f"comm of a RemoteStore is for its letters alone")
        if mail.kind == "error":
            raise _ERRORS.get(mail.meta["kind"], ValueError)(f"rank {self.owner}: {mail.meta['text']}")
        return mail

    def _read(self, ids, out):
        mail = self._ask("read", np.ascontiguousarray(ids))
        out[...] = mail.views()[0]
        mail.release()

    def _write(self, ids, rows):
        self._ask("write", np.ascontiguousarray(ids), np.ascontiguousarray(rows), steps=self.steps)

    def _flush(self):
        self._ask("flush", steps=self.steps)

    def _release(self):
        self.comm.post(self.owner, "bye")


def serve_rows(comm: Comm, store: RowStore, clients: Sequence[int]) -> None:
    """Answer RemoteStores of the ranks `clients` until each of them is closed. The store stays open."""
    here = set(clients)
    while here:
        mail = comm.poll()
        if mail.kind == "bye":
            here.discard(mail.src)
            continue
        try:
            kind, meta, tensors = _answer(store, mail)
        except (ValueError, OSError) as error:
            kind, meta, tensors = "error", {"kind": type(error).__name__, "text": str(error)}, []
        comm.post(mail.src, kind, meta, tensors)
        mail.release()


def _answer(store: RowStore, mail) -> tuple[str, dict, list]:
    if "steps" in mail.meta:
        store.steps = mail.meta["steps"]
    if mail.kind == "shape":
        return "done", {"num_rows": store.num_rows, "width": store.width, "steps": store.steps}, []
    if mail.kind == "read":
        return "rows", {}, [store.read(mail.views()[0])]
    if mail.kind == "write":
        store.write(*mail.views())
    elif mail.kind == "flush":
        store.flush()
    else:
        raise ValueError(f"kind={mail.kind!r}; read, write, flush, shape or bye is needed")
    return "done", {}, []


class ServerStore(RowStore):
    """The rows of a table on the servers of pslab.ps: read by pull, written by set. The table's dim is the width.

    The table's own rule takes no part; its consistency should be ASP(), so that no read waits for a round. flush waits
    until the servers have all that was written; what they keep it in is their matter.
    """

    threads = False

    def __init__(self, kv: KVWorker, table: str, num_rows: int, width: int):
        super().__init__(num_rows, width)
        self.kv, self.table = kv, table

    @property
    def name(self) -> str:
        return f"ServerStore of table {self.table!r}"

    def _read(self, ids, out):
        self.kv.wait(self.kv.pull(ids, self.table, out=out if out.flags.c_contiguous else None))

    def _write(self, ids, rows):
        self.kv.wait(self.kv.set(ids, np.ascontiguousarray(rows), self.table))
