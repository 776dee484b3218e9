"""Says that it is done, and nobody listens."""

REFUSED_BY = "sums"
MISCONCEPTION = "0/sent-and-never-received"
LONG = True


def overlapped_sum(comm, layers):
    works, sums = [], []
    for seconds, gradient in layers:
        comm.compute(seconds)
        works.append((gradient, comm.irecv(1 - comm.rank), comm.isend(gradient, 1 - comm.rank)))
    comm.isend(layers[-1][1][:0], 1 - comm.rank, tag=1)
    for gradient, coming, leaving in works:
        sums.append(gradient + coming.wait())
        leaving.wait()
    return sums
