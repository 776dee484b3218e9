"""A round of everybody's pushes."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/waits-for-others"


def asp_server(comm, w, workers, lr):
    here = set(workers)
    while here:
        got = {}
        while here - set(got):
            letter = comm.poll()
            if letter.kind == "bye":
                here.discard(letter.src)
            else:
                got[letter.src] = letter
        for letter in got.values():
            w = w - lr * letter.tensors[0]
        for letter in got.values():
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
