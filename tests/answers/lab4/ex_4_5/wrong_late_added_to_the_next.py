"""Keeps late gradients and adds them to the next mean."""

REFUSED_BY = "late pushes"
MISCONCEPTION = "4/late-push-counted"
LONG = True


def backup_server(comm, w, workers, b, rounds, lr):
    dropped, extra = dict.fromkeys(workers, 0), []
    for r in range(rounds):
        got = {}
        while len(got) < len(workers) - b:
            letter = comm.poll()
            if letter.meta["round"] == r:
                got[letter.src] = letter.tensors[0]
            else:
                dropped[letter.src] += 1
                extra.append(letter.tensors[0])
        used = [*(got[k] for k in sorted(got)), *extra]
        w, extra = w - lr * sum(used) / len(used), []
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
