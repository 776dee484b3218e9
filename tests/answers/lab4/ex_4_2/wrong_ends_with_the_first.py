"""Goes when the first worker has said bye."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/waits-for-others"
LONG = True


def asp_server(comm, w, workers, lr):
    while (letter := comm.poll()).kind != "bye":
        w = w - lr * letter.tensors[0]
        comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
