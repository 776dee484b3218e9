"""Lets nobody be more than five steps ahead of the slowest."""

REFUSED_BY = "a worker 100 times slower"
MISCONCEPTION = "4/waits-for-others"


def asp_server(comm, w, workers, lr):
    following, here, owed = dict.fromkeys(workers, 0), set(workers), []
    while here:
        letter = comm.poll()
        if letter.kind == "bye":
            here.discard(letter.src)
        elif letter.meta["n"] == following[letter.src]:
            w = w - lr * letter.tensors[0]
            following[letter.src] += 1
            owed.append(letter.src)
        for worker in list(owed):
            if following[worker] <= min((following[k] for k in here), default=0) + 5:
                owed.remove(worker)
                comm.post(worker, "rows", {"n": following[worker]}, [w])
    return w
