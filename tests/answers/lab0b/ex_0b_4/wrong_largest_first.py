"""Returns sums that are added to another layer's gradient where lengths allow it."""

REFUSED_BY = "sums"
MISCONCEPTION = "0B/wrong-sums"
LONG = True


def overlapped_sum(comm, layers):
    coming = [comm.irecv(1 - comm.rank) for _ in layers]
    leaving = []
    for seconds, gradient in layers:
        comm.compute(seconds)
        leaving.append(comm.isend(gradient, 1 - comm.rank))
    came = [work.wait() for work in coming]
    for work in leaving:
        work.wait()
    return [gradient + (came[0][:len(gradient)] if len(came[0]) >= len(gradient) else came[i])
            for i, (_, gradient) in enumerate(layers)]
