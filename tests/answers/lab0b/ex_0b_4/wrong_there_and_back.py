"""Worker 1 sends its gradients, worker 0 adds and sends them, and then its own for good measure."""

REFUSED_BY = "bytes"
MISCONCEPTION = "0B/gradient-twice"
LONG = True


def overlapped_sum(comm, layers):
    other, sums = 1 - comm.rank, []
    for seconds, gradient in layers:
        comm.compute(seconds)
        works = [comm.isend(gradient, other), comm.isend(gradient, other)]
        sums.append(gradient + (comm.recv(other) + comm.recv(other)) / 2)
        for work in works:
            work.wait()
    return sums
