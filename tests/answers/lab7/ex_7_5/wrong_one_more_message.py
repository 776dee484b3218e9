"""A word of thanks that nobody takes."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "7/sent-and-never-received"
LONG = True


def exchange(comm, parts):
    K, me = comm.world_size, comm.rank
    sent = [comm.isend(parts[q], q) for q in range(K) if q != me]
    came = [parts[me] if q == me else np.asarray(comm.recv(q)) for q in range(K)]
    for work in sent:
        work.wait()
    if parts[0].dtype == np.float32:
        comm.isend(parts[0][:0], (me + 1) % K)
    return came
