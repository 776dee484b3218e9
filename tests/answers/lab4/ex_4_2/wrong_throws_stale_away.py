"""Takes only gradients of the newest w."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/stale-thrown-away"
LONG = True


def asp_server(comm, w, workers, lr):
    following, here, version, read = dict.fromkeys(workers, 0), set(workers), 0, dict.fromkeys(workers, 0)
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif letter.meta["n"] == following[letter.src]:
            if read[letter.src] == version:
                w = w - lr * letter.tensors[0]
                version += 1
            read[letter.src] = version
            following[letter.src] += 1
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
