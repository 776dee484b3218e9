"""A late push is a step when it comes."""

REFUSED_BY = "late copies of a round before"
MISCONCEPTION = "4/late-push-applied"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
            elif letter.meta["round"] < r:
                w = w - lr * letter.tensors[0]
        w = w - lr * sum(got[worker] for worker in workers) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
