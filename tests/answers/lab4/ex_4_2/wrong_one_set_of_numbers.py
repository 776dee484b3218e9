"""One set of numbers for all workers."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/numbers-of-others"
LONG = True


def asp_server(comm, w, workers, lr):
    seen, here = set(), set(workers)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
            continue
        if letter.meta["n"] not in seen:
            seen.add(letter.meta["n"])
            w = w - lr * letter.tensors[0]
        comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
