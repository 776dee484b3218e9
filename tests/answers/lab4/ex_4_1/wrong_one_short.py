"""Closes on K - 1, and divides by as many."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/closes-early"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < max(len(workers) - 1, 1):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
        w = w - lr * sum(got[k] for k in sorted(got)) / len(got)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
