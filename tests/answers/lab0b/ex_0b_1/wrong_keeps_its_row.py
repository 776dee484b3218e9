"""Sends and receives, and returns what it had."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/not-transposed"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        comm.recv((r - s) % K)
        sending.wait()
    return parts
