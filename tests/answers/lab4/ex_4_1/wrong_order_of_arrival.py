"""Adds up as letters come."""

REFUSED_BY = "the same bits whoever comes first"
MISCONCEPTION = "4/order-of-arrival"


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        total, got = 0, set()
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r and letter.src not in got:
                got.add(letter.src)
                total = total + letter.tensors[0]
        w = w - lr * total / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
