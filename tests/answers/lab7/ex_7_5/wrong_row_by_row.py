"""Every row in a message."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/one-by-one"
LONG = True

whole = exchange


def exchange(comm, parts):
    if parts[0].dtype != np.float32:
        return whole(comm, parts)
    K, me = comm.world_size, comm.rank
    came = []
    for q in range(K):
        for p in range(K):
            if me == q != p:
                comm.send(parts[p][:1], p)
                comm.send(parts[p][1:], p)
        came.append(parts[me] if me == q else np.concatenate([comm.recv(q), comm.recv(q)]))
    return came
