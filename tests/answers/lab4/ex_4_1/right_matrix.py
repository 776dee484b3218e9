"""A row of a matrix for each worker, and a set of those that are missing; one loop over letters."""

import torch

LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    place = {worker: row for row, worker in enumerate(workers)}
    grads, missing, now = torch.zeros(len(workers), len(w)), set(workers), 0
    while now < rounds:
        letter = comm.poll()
        if letter.kind != "push" or letter.meta["round"] != now or letter.src not in missing:
            continue
        missing.remove(letter.src)
        grads[place[letter.src]] = letter.tensors[0]
        if missing:
            continue
        w -= lr * grads.mean(dim=0)
        now, missing = now + 1, set(workers)
        for worker in reversed(workers):
            comm.post(worker, "rows", {"round": now}, [w])
    return w
