"""NumPy; even ranks post the receive and send, odd ranks start the send and receive."""

import numpy as np

LONG = True


def ring_all_reduce(comm, x):
    K, rank = comm.world_size, comm.rank
    result = np.array(x)
    chunks = np.array_split(result, K)
    for step in range(2 * (K - 1)):
        out, into = chunks[(rank - step) % K], chunks[(rank - step - 1) % K]
        op = "sum" if step < K - 1 else None
        if rank % 2:
            work = comm.isend(out, (rank + 1) % K)
            comm.recv((rank - 1) % K, out=into, op=op)
            work.wait()
        else:
            coming = comm.irecv((rank - 1) % K, out=into, op=op)
            comm.send(out, (rank + 1) % K)
            coming.wait()
    return result
