"""Exchanges and returns its own."""

REFUSED_BY = "sums"
MISCONCEPTION = "0B/not-reduced"
LONG = True


def overlapped_sum(comm, layers):
    other = 1 - comm.rank
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving = comm.isend(gradient, other)
        comm.recv(other)
        leaving.wait()
    return [gradient for _, gradient in layers]
