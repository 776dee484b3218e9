"""Tells the workers first and steps afterwards."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/rows-before-the-step"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
        w = w - lr * sum(got[worker] for worker in workers) / len(workers)
    return w
