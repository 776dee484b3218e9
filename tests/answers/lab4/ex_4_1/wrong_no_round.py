"""One push of each sender, of whatever round."""

REFUSED_BY = "late copies of a round before"
MISCONCEPTION = "4/late-push-counted"


def bsp_server(comm, w, workers, rounds, lr):
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            got.setdefault(letter.src, letter.tensors[0])
        w = w - lr * sum(got[worker] for worker in workers) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w
