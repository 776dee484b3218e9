"""Each push is a step, and its sender is answered."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/nobody-waits"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for _ in range(rounds * len(workers)):
        letter = comm.poll()
        w = w - lr * letter.tensors[0] / len(workers)
        comm.post(letter.src, "rows", {"round": letter.meta["round"] + 1}, [w])
    return w
