"""The first push of a round closes it."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/nobody-waits"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        letter = comm.poll()
        while letter.meta["round"] != r:
            letter = comm.poll()
        w = w - lr * letter.tensors[0]
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
