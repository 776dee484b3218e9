"""Leaves the computing out."""

REFUSED_BY = "no second lost"
MISCONCEPTION = "0B/before-it-is-computed"
LONG = True


def overlapped_sum(comm, layers):
    other, sums = 1 - comm.rank, []
    for _, gradient in layers:
        leaving = comm.isend(gradient, other)
        sums.append(gradient + comm.recv(other))
        leaving.wait()
    return sums
