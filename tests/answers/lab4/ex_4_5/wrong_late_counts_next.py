"""A late push counts in the round that is open."""

REFUSED_BY = "late pushes"
MISCONCEPTION = "4/late-push-counted"


def backup_server(comm, w, workers, b, rounds, lr):
    dropped = dict.fromkeys(workers, 0)
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            dropped[letter.src] += letter.meta["round"] < r
            got.setdefault(letter.src, letter.tensors[0])
        w = w - lr * sum(got[k] for k in sorted(got)) / len(got)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
