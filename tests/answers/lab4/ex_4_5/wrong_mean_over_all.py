"""Divides by K."""

REFUSED_BY = "without the slow ones"
MISCONCEPTION = "4/mean-over-all"
LONG = True


def backup_server(comm, w, workers, b, rounds, lr):
    dropped, seen = dict.fromkeys(workers, 0), set()
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            push = letter.src, letter.meta["round"]
            if push not in seen and push[1] == r:
                got[letter.src] = letter.tensors[0]
            elif push not in seen:
                dropped[letter.src] += 1
            seen.add(push)
        w = w - lr * sum(got[k] for k in sorted(got)) / len(workers)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
