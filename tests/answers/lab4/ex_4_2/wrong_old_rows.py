"""Answers, then steps."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/rows-before-the-step"


def asp_server(comm, w, workers, lr):
    following, here = dict.fromkeys(workers, 0), set(workers)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif letter.meta["n"] == following[letter.src]:
            following[letter.src] += 1
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
            w = w - lr * letter.tensors[0]
    return w
