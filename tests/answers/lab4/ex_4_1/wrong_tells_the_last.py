"""Answers the one whose push closes the round."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/nobody-is-told"


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
        w = w - lr * sum(got[worker] for worker in workers) / len(workers)
        comm.post(letter.src, "rows", {"round": r + 1}, [w])
    return w
