"""Sends no message for an empty part, while its receiver waits for one."""

REFUSED_BY = "parts of any length"
MISCONCEPTION = "0/everyone-receives-first"
LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = [None] * K
    result[r] = parts[r]
    for s in range(1, K):
        dst = (r + s) % K
        sending = comm.isend(parts[dst], dst) if len(parts[dst]) else None
        result[(r - s) % K] = comm.recv((r - s) % K)
        if sending:
            sending.wait()
    return result
