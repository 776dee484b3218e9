"""Counts who is missing when a round closes."""

REFUSED_BY = "what was dropped"
MISCONCEPTION = "4/missing-counted"


def backup_server(comm, w, workers, b, rounds, lr):
    dropped, seen = dict.fromkeys(workers, 0), set()
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            push = letter.src, letter.meta["round"]
            if push[1] == r:
                got.setdefault(letter.src, letter.tensors[0])
            seen.add(push)
        w = w - lr * sum(got[k] for k in sorted(got)) / len(got)
        for worker in workers:
            dropped[worker] += worker not in got
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
