"""Arrays over the whole vocabulary; versions counted beforehand."""

import numpy as np

LONG = True


class ExactCache:
    def __init__(self, server):
        self.server = server
        self.version = np.full(4096, -1)
        self.table = None

    def read(self, ids):
        asked = np.unique(ids)
        places, rows, versions = self.server.fetch(asked, self.version[asked])
        if self.table is None:
            self.table = np.zeros((4096, rows.shape[1]), np.float32)
        self.table[asked[places]], self.version[asked[places]] = rows, versions
        return self.table[ids]

    def push(self, ids, grads):
        self.server.push(ids, grads)
        self.table[ids] = self.server.apply(self.table[ids], grads)
        self.version[ids] += 1


def rows_saved(batches):
    most = 1 + max(int(ids.max()) for round_ in batches for ids in round_)
    K = len(batches[0])
    server, mine = np.zeros(most, int), np.full((K, most), -1)
    saved = reads = 0
    for round_ in batches:
        unique = [np.unique(ids) for ids in round_]
        for k, ids in enumerate(unique):
            saved += int((mine[k, ids] == server[ids]).sum())
            reads += len(ids)
            mine[k, ids] = server[ids] + 1
        for ids in unique:
            server[ids] += 1
    return saved, reads
