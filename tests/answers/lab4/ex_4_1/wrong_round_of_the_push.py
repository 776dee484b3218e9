"""Numbers the new rows by the round that has closed."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/nobody-is-told"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
        w = w - lr * sum(got[worker] for worker in workers) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r}, [w])
    return w
