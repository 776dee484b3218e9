"""A late push is added to the open round, whose own are awaited all the same."""

REFUSED_BY = "late copies of a round before"
MISCONCEPTION = "4/late-push-counted"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got, late = {}, 0
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] < r:
                late = late + letter.tensors[0]
            else:
                got[letter.src] = letter.tensors[0]
        w = w - lr * (late + sum(got[worker] for worker in workers)) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
