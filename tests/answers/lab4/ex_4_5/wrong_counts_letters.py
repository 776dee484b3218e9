"""Closes on K - b letters of the round."""

REFUSED_BY = "a worker that pushes twice"
MISCONCEPTION = "4/letters-counted"


def backup_server(comm, w, workers, b, rounds, lr):
    dropped = dict.fromkeys(workers, 0)
    for r in range(rounds):
        got = []
        while len(got) < len(workers) - b:
            letter = comm.poll()
            if letter.meta["round"] == r:
                got.append(letter.tensors[0])
            else:
                dropped[letter.src] += 1
        w = w - lr * sum(got) / len(got)
        for worker in workers:
            comm.post(worker, "rows", {"round": r + 1}, [w])
    return w, dropped
