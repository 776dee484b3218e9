"""Sends new numbers to everybody."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/answers-everybody"
LONG = True


def asp_server(comm, w, workers, lr):
    following, here = dict.fromkeys(workers, 0), set(workers)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif letter.meta["n"] == following[letter.src]:
            w = w - lr * letter.tensors[0]
            following[letter.src] += 1
            for worker in workers:
                comm.post(worker, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
