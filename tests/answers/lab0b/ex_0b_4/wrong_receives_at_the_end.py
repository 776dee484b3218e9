"""Sends in time, and begins to receive when all is computed."""

REFUSED_BY = "no second lost"
MISCONCEPTION = "0B/nobody-receives-yet"
LONG = True


def overlapped_sum(comm, layers):
    other, leaving = 1 - comm.rank, []
    for i, (seconds, gradient) in enumerate(layers):
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, other, tag=i))
    sums = [gradient + comm.recv(other, tag=i) for i, (_, gradient) in enumerate(layers)]
    for work in leaving:
        work.wait()
    return sums
