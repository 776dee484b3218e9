"""Serves the workers in turn, and keeps letters of others until it is theirs."""

REFUSED_BY = "each push is a step"
MISCONCEPTION = "4/waits-for-others"
LONG = True


def asp_server(comm, w, workers, lr):
    here, kept = list(workers), []
    while here:
        for worker in list(here):
            letter = next((k for k in kept if k.src == worker), None)
            while letter is None:
                kept.append(comm.poll())
                letter = next((k for k in kept if k.src == worker), None)
            kept.remove(letter)
            if letter.kind == "bye":
                here.remove(worker)
                continue
            w = w - lr * letter.tensors[0]
            comm.post(worker, "rows", {"n": letter.meta["n"] + 1}, [w])
    return w
