"""Waits for a gradient after the next layer, which may be too early for a large one."""

REFUSED_BY = "no second lost"
MISCONCEPTION = "0B/computing-waits"
LONG = True


def overlapped_sum(comm, layers):
    other, sums, before = 1 - comm.rank, [], None
    for seconds, gradient in layers:
        comm.compute(seconds)
        works = comm.irecv(other), comm.isend(gradient, other), gradient
        if before:
            sums.append(before[2] + before[0].wait())
            before[1].wait()
        before = works
    sums.append(before[2] + before[0].wait())
    before[1].wait()
    return sums
