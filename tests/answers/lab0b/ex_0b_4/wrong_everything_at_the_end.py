"""Computes all layers, then exchanges."""

REFUSED_BY = "no second lost"
MISCONCEPTION = "0B/sent-at-the-end"
LONG = True


def overlapped_sum(comm, layers):
    other, sums = 1 - comm.rank, []
    for seconds, _ in layers:
        comm.compute(seconds)
    for _, gradient in layers:
        leaving = comm.isend(gradient, other)
        sums.append(gradient + comm.recv(other))
        leaving.wait()
    return sums
