"""Uses the first K - b, when all K are there."""

REFUSED_BY = "the time of a round"
MISCONCEPTION = "4/waits-for-all"


def backup_server(comm, w, workers, b, rounds, lr):
    dropped = dict.fromkeys(workers, 0)
    for r in range(rounds):
        got = {}
        while len(got) < len(workers):
            letter = comm.poll()
            if letter.meta["round"] == r:
                got.setdefault(letter.src, letter.tensors[0])
        used = sorted(list(got)[:len(workers) - b])
        for worker in set(got) - set(used):
            dropped[worker] += 1
        w = w - lr * sum(got[k] for k in used) / len(used)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
