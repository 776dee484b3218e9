"""Closes on K letters of the round, and adds them all."""

REFUSED_BY = "a worker that pushes twice"
MISCONCEPTION = "4/letters-counted"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        total, letters = 0, 0
        while letters < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                total, letters = total + letter.tensors[0], letters + 1
        w = w - lr * total / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
