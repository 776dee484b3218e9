"""Adds up in the order in which the dict was filled."""

REFUSED_BY = "the same bits whoever comes first"
MISCONCEPTION = "4/order-of-arrival"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got.setdefault(letter.src, letter.tensors[0])
        w = w - lr * sum(got.values()) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
