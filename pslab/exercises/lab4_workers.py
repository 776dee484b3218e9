"""The workers around the servers of 4.1, 4.2 and 4.5: copied into the student's process, so no reference stands here.

    in_rounds     groups of K workers and a server that closes rounds      4.1, and 4.5 where job["b"] is given
    at_once       groups of K workers and a server that answers at once    4.2

A group is K + 1 ranks from `first` on, the server last, and has nothing to do with the others of its world. A worker's
gradient is w − target, where w is what it was sent last. New numbers may come while it still computes: it takes them up
at once, and the gradient that it was at is finished beside them and pushed late.
"""

from __future__ import annotations

BYE = "bye"


def in_rounds(serve, comm, job: dict, first: int) -> dict:
    """Of a server: value, what it returned. Of a worker: rows [[round, w, when]], begun [when], spans of computing."""
    place, workers = comm.rank - first, range(first, first + len(job["seconds"]))
    if place == len(workers):
        rounds = len(job["seconds"][0])
        middle = [] if job["b"] is None else [job["b"]]
        value = serve(comm, job["w"].clone(), list(workers), *middle, rounds, job["lr"])
        return {"value": value, "end_s": comm.now()}
    w, server, at = job["w"].clone(), workers[-1] + 1, 0
    rows, begun, spans, due = [], [], [], []
    while at < len(job["seconds"][0]):
        begin_s = comm.now()
        ready_s = begin_s + job["seconds"][place][at]
        gradient = w - job["targets"][place][at]
        again = [after_s for worker, round_, after_s in job["copies"] if (worker, round_) == (place, at)]
        due += [(ready_s + after_s, at, gradient) for after_s in (0.0, *again)]
        letter = _next(comm, server, due, "round", lambda number, at=at: number > at)
        spans.append([begin_s, min(ready_s, comm.now())])
        begun.append(begin_s)
        at, w = letter.meta["round"], letter.tensors[0].clone()
        rows.append([at, w, comm.now()])
    return {"rows": rows, "begun": begun, "spans": spans}


def at_once(serve, comm, job: dict, first: int) -> dict:
    """As above; rows [[n, w, when]], and sent: the sum of the gradients that this worker pushed."""
    place, workers = comm.rank - first, range(first, first + len(job["seconds"]))
    if place == len(workers):
        value = serve(comm, job["w"].clone(), list(workers), job["lr"])
        return {"value": value, "end_s": comm.now()}
    w, server = job["w"].clone(), workers[-1] + 1
    rows, spans, due, sent = [], [], [], 0
    for at, seconds in enumerate(job["seconds"][place][:job["steps"][place]]):
        begin_s = comm.now()
        gradient = w - job["targets"][place][at]
        again = [after_s for worker, step, after_s in job["copies"] if (worker, step) == (place, at)]
        due += [(begin_s + seconds + after_s, at, gradient) for after_s in (0.0, *again)]
        letter = _next(comm, server, due, "n", lambda number, at=at: number == at + 1)
        spans.append([begin_s, begin_s + seconds])
        w, sent = letter.tensors[0].clone(), sent + gradient
        rows.append([at + 1, w, comm.now()])
    comm.post(server, BYE)
    return {"rows": rows, "spans": spans, "sent": sent}


def _next(comm, server: int, due: list, name: str, wanted):
    """Push what is due, when it is due, until numbers come that are wanted."""
    while True:
        due.sort(key=lambda push: push[:2])
        letter = comm.poll(max(0.0, due[0][0] - comm.now()) if due else None)
        if letter is None:
            _, number, gradient = due.pop(0)
            comm.post(server, "push", {name: number}, [gradient])
        elif letter.kind == "rows" and type(letter.meta.get(name)) is int and wanted(letter.meta[name]):
            return letter
