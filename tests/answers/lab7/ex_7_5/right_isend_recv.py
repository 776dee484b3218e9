"""All sends are started, then everything is received."""

import numpy as np


def exchange(comm, parts):
    """parts[q] to rank q, what came from each rank back."""
    K, me = comm.world_size, comm.rank
    sent = [comm.isend(parts[q], q) for q in range(K) if q != me]
    came = [parts[me] if q == me else np.asarray(comm.recv(q)) for q in range(K)]
    for work in sent:
        work.wait()
    return came


class ShardedLookup:
    def __init__(self, comm, table):
        self.comm, self.table, self.K = comm, table, comm.world_size

    def forward(self, ids):
        self.unique, self.inverse = np.unique(ids, return_inverse=True)
        self.owner = self.unique % self.K
        self.asked = exchange(self.comm, [self.unique[self.owner == q] for q in range(self.K)])
        replies = exchange(self.comm, [self.table[asked // self.K] for asked in self.asked])
        rows = np.zeros((len(self.unique), self.table.shape[1]), np.float32)
        for q, reply in enumerate(replies):
            rows[self.owner == q] = reply
        return rows[self.inverse]

    def sums(self, grad):
        out = np.zeros((len(self.unique), self.table.shape[1]), np.float32)
        np.add.at(out, self.inverse, grad)
        return out

    def backward(self, grad):
        mine = self.sums(grad)
        came = exchange(self.comm, [mine[self.owner == q] for q in range(self.K)])
        return self.gathered(came)

    def gathered(self, came):
        total = np.zeros_like(self.table)
        for asked, part in zip(self.asked, came):
            total[asked // self.K] += part
        return total
