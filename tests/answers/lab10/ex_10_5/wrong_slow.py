"""One worker after the other, gradient after gradient."""

BASE = "right_two_halves"
REFUSED_BY = "faster than both"
MISCONCEPTION = "10/slower"
LONG = True


def exchange(comm, parts, tag=0):
    K, me, came = comm.world_size, comm.rank, list(parts)
    for src in range(K):
        for dst in range(K):
            if src != dst:
                if me == src:
                    comm.send(parts[dst].contiguous(), dst, tag=tag)
                if me == dst:
                    came[src] = comm.recv(src, tag=tag)
                comm.compute(2e-5)
    return came
