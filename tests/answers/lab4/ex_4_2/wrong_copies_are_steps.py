"""Whatever comes is a step."""

REFUSED_BY = "copies"
MISCONCEPTION = "4/step-taken-twice"


def asp_server(comm, w, workers, lr):
    following, here = dict.fromkeys(workers, 0), set(workers)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif True:
            w = w - lr * letter.tensors[0]
            following[letter.src] += 1
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
