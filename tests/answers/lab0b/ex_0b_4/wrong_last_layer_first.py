"""Takes the works off a stack."""

REFUSED_BY = "sums"
MISCONCEPTION = "0B/last-layer-first"
LONG = True


def overlapped_sum(comm, layers):
    stack, sums = [], []
    for seconds, gradient in layers:
        comm.compute(seconds)
        stack.append((gradient, comm.irecv(1 - comm.rank), comm.isend(gradient, 1 - comm.rank)))
    while stack:
        gradient, coming, leaving = stack.pop()
        sums.append(gradient + coming.wait())
        leaving.wait()
    return sums
