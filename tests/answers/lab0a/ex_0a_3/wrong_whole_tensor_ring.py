"""Passes whole tensors around and adds up what comes."""

REFUSED_BY = "bytes"
MISCONCEPTION = "0/whole-tensor-travels"
LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    total, passing = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(passing, (rank + 1) % K)
        passing = comm.recv((rank - 1) % K)
        work.wait()
        total = total + passing
    return total
