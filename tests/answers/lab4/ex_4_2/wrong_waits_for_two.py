"""Steps when two have pushed."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/waits-for-others"
LONG = True


def asp_server(comm, w, workers, lr):
    here, got = set(workers), []
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
            continue
        got.append(letter)
        if len(got) >= min(2, len(here)):
            for letter in got:
                w = w - lr * letter.tensors[0]
            for letter in got:
                comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
            got = []
    return w
