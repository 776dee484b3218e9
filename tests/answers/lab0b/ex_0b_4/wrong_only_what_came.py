"""Returns what came."""

REFUSED_BY = "sums"
MISCONCEPTION = "0B/only-the-others"
LONG = True


def overlapped_sum(comm, layers):
    coming = [comm.irecv(1 - comm.rank) for _ in layers]
    leaving = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, 1 - comm.rank))
    for work in leaving:
        work.wait()
    return [work.wait() for work in coming]
