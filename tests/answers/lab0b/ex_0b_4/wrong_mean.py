"""Divides by two."""

REFUSED_BY = "sums"
MISCONCEPTION = "0/mean-for-sum"
LONG = True


def overlapped_sum(comm, layers):
    coming = [comm.irecv(1 - comm.rank) for _ in layers]
    leaving = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, 1 - comm.rank))
    sums = [(gradient + work.wait()) / 2 for (_, gradient), work in zip(layers, coming)]
    for work in leaving:
        work.wait()
    return sums
