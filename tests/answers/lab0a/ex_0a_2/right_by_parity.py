"""Even ranks post the receive and send, odd ranks start the send and receive: both directions at once."""

import numpy as np

LONG = True


def reduce_scatter(comm, x):
    K, rank = comm.world_size, comm.rank
    mine = [piece.copy() for piece in np.array_split(np.asarray(x), K)]
    for t in range(K - 1):
        out, into = (rank - 1 - t) % K, (rank - 2 - t) % K
        if rank % 2 == 0:
            coming = comm.irecv((rank - 1) % K)
            comm.send(mine[out], (rank + 1) % K)
            mine[into] += np.asarray(coming.wait())
        else:
            going = comm.isend(mine[out], (rank + 1) % K)
            mine[into] += np.asarray(comm.recv((rank - 1) % K))
            going.wait()
    return mine[rank]
