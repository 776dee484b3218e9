"""Blocking sends: in every pair the lower rank speaks first, pairs in one order for all."""

LONG = True


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    result = list(parts)
    for a in range(K):
        for b in range(a + 1, K):
            if r == a:
                comm.send(parts[b], b)
                result[b] = comm.recv(b)
            elif r == b:
                result[a] = comm.recv(a)
                comm.send(parts[a], a)
    return result
