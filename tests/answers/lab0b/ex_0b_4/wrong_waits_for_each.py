"""Exchanges a gradient, and only then computes the next."""

REFUSED_BY = "no second lost"
MISCONCEPTION = "0B/computing-waits"
LONG = True


def overlapped_sum(comm, layers):
    other, sums = 1 - comm.rank, []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving = comm.isend(gradient, other)
        sums.append(gradient + comm.recv(other))
        leaving.wait()
    return sums
