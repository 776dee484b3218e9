"""The program around the answer of 5.2: copied into the student's process, so no reference stands here.

    workers 0 … K-1   begin c │ read, read │ compute │ add, add │ read │ commit │ begin c+1 …
    rank K            a server with rows, which adds what comes, answers pulls, and holds up who is too far ahead

Both sides note down what happened; judges read the notes.
"""

from __future__ import annotations

import torch


class Server:
    """What an answer sees of the server."""

    def __init__(self, comm, number: int):
        self._comm, self._number = comm, number

    def pull(self, key: int):
        """(row (D,), clock): all updates of iterations below `clock` are in the row, and all own ones so far."""
        self._comm.post(self._number, "pull", {"key": int(key)})
        letter = self._comm.poll()
        return letter.tensors[0].clone(), letter.meta["clock"]

    def push(self, key: int, delta) -> None:
        """Add delta (D,) to the server's row; the tensor is copied at once."""
        self._comm.post(self._number, "push", {"key": int(key)}, [torch.as_tensor(delta)])


def cached(CachedRows, comm, plan: dict) -> dict:
    """plan: s, dim, ms [K][T], reads [K][T] lists of keys, adds [K][T] lists of (key, delta (D,)), again [K][T]."""
    K, T = len(plan["ms"]), len(plan["ms"][0])
    if comm.rank == K:
        return _serve(comm, K, T, plan["s"], plan["dim"])
    me, notes = comm.rank, []
    rows = CachedRows(Server(comm, K), plan["s"])
    comm.poll()
    for c in range(T):
        for key in plan["reads"][me][c]:
            _read(rows, comm, key, c, notes)
        comm.compute(1e-3 * plan["ms"][me][c])
        for key, delta in plan["adds"][me][c]:
            given = torch.as_tensor(delta).clone()
            began_s = comm.now()
            rows.add(key, given)
            notes.append(["add", key, c, began_s, comm.now()])
            given.zero_()                                        # the caller goes on using its buffer
        for key in plan["again"][me][c]:
            _read(rows, comm, key, c, notes)
        began_s = comm.now()
        comm.post(K, "committed")
        if c + 1 < T:
            comm.poll()
        notes.append(["clock", -1, c + 1, began_s, comm.now() if c + 1 < T else None])    # the last begins nothing
    return {"notes": notes}


def _read(rows, comm, key: int, c: int, notes: list) -> None:
    began_s = comm.now()
    row = rows.read(key, c)
    seen = row.clone() if isinstance(row, torch.Tensor) else torch.as_tensor(row).clone()
    notes.append(["read", key, c, began_s, comm.now(), seen.float()])
    if isinstance(row, torch.Tensor):
        row.fill_(-1.0)                                          # the caller's own, to do with as it likes


def _serve(comm, K: int, T: int, s: int, dim: int) -> dict:
    commits, waiting, rows, pulls = [0] * K, set(), {}, []
    for worker in range(K):
        comm.post(worker, "begin")
    while min(commits) < T:
        letter = comm.poll()
        key = letter.meta.get("key")
        if letter.kind == "pull":
            pulls.append([letter.src, key, commits[letter.src], min(commits)])
            comm.post(letter.src, "row", {"clock": min(commits)}, [rows.setdefault(key, torch.zeros(dim)).clone()])
        elif letter.kind == "push":
            rows[key] = rows.get(key, torch.zeros(dim)) + letter.tensors[0].float().reshape(dim)
        else:
            commits[letter.src] += 1
            if commits[letter.src] < T:
                waiting.add(letter.src)
            for worker in sorted(r for r in waiting if commits[r] - s <= min(commits)):
                waiting.remove(worker)
                comm.post(worker, "begin")
    return {"rows": rows, "pulls": pulls}
