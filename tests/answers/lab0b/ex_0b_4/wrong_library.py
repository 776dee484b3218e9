"""Asks the kit's all-reduce for each."""

REFUSED_BY = "sums"
MISCONCEPTION = "all/forbidden"
LONG = True


def overlapped_sum(comm, layers):
    from pslab import collectives

    for seconds, gradient in layers:
        comm.compute(seconds)
        collectives.all_reduce(comm, gradient)
    return [gradient for _, gradient in layers]
