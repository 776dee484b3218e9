"""Appends what comes."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/order-of-arrival"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [parts[r]]
    for s in range(1, K):
        sending = comm.isend(parts[(r + s) % K], (r + s) % K)
        result.append(comm.recv((r - s) % K))
        sending.wait()
    return result
