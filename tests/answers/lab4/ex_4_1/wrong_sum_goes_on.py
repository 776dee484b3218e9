"""The sum is made once, before the first round."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "4/round-before-kept"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    total = 0
    for r in range(rounds):
        got = set()
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r and letter.src not in got:
                got.add(letter.src)
                total = total + letter.tensors[0]
        w = w - lr * total / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
