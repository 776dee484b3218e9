"""A dict of the open round, and a set of all pushes that were seen."""


def backup_server(comm, w, workers, b, rounds, lr):
    dropped, seen = dict.fromkeys(workers, 0), set()
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            push = letter.src, letter.meta["round"]
            if push in seen:
                continue
            seen.add(push)
            if push[1] < r:
                dropped[letter.src] += 1
            else:
                got[letter.src] = letter.tensors[0]
        w = w - lr * sum(got[worker] for worker in sorted(got)) / len(got)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
