"""Keeps one gradient of each sender, and closes on K letters."""

REFUSED_BY = "a worker that pushes twice"
MISCONCEPTION = "4/letters-counted"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got, letters = {}, 0
        while letters < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src], letters = letter.tensors[0], letters + 1
        w = w - lr * sum(got.values()) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
