"""Adds what comes into the gradient that is still leaving."""

REFUSED_BY = "sums"
MISCONCEPTION = "all/isend-buffer"


def overlapped_sum(comm, layers):
    coming = [comm.irecv(1 - comm.rank) for _ in layers]
    leaving = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, 1 - comm.rank))
        gradient *= 1.5
    sums = [gradient.add_(work.wait()) for (_, gradient), work in zip(layers, coming)]
    for work in leaving:
        work.wait()
    return sums
