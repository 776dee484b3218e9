"""Closes on K letters, with the mean of whoever is there."""

REFUSED_BY = "a worker that pushes twice"
MISCONCEPTION = "4/letters-counted"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        for _ in workers:
            letter = comm.poll()
            got[letter.src] = letter.tensors[0]
        w = w - lr * sum(got.values()) / len(got)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
