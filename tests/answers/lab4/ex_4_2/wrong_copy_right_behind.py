"""Knows a copy only right behind its original."""

REFUSED_BY = "copies"
MISCONCEPTION = "4/step-taken-twice"
LONG = True


def asp_server(comm, w, workers, lr):
    here, last = set(workers), None
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif (letter.src, letter.meta["n"]) != last:
            last = letter.src, letter.meta["n"]
            w = w - lr * letter.tensors[0]
            comm.post(letter.src, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
