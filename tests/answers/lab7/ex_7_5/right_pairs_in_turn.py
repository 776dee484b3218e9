"""Rank by rank, in steps round the ring; dicts and loops."""

import numpy as np

LONG = True


class ShardedLookup:
    def __init__(self, comm, table):
        self.comm, self.table = comm, table

    def _swap(self, parts):
        K, me = self.comm.world_size, self.comm.rank
        came = {me: parts[me]}
        for step in range(1, K):
            to, source = (me + step) % K, (me - step) % K
            work = self.comm.isend(parts[to], to)
            came[source] = np.asarray(self.comm.recv(source))
            work.wait()
        return came

    def forward(self, ids):
        K, self.D = self.comm.world_size, self.table.shape[1]
        self.ids = ids.tolist()
        wanted = [[] for _ in range(K)]
        for id in dict.fromkeys(self.ids):
            wanted[id % K].append(id)
        self.wanted = wanted
        self.questions = self._swap([np.array(own, np.int64) for own in wanted])
        answers = self._swap([self.table[self.questions[q] // K] for q in range(K)])
        row = {}
        for q in range(K):
            row.update(zip(wanted[q], answers[q]))
        return np.array([row[id] for id in self.ids], np.float32).reshape(len(self.ids), self.D)

    def backward(self, grad):
        K, total = self.comm.world_size, {}
        for id, own in zip(self.ids, grad):
            total[id] = total[id] + own if id in total else own
        parts = [np.array([total[id] for id in own], np.float32).reshape(len(own), self.D) for own in self.wanted]
        out = np.zeros_like(self.table)
        for q, part in self._swap(parts).items():
            for id, own in zip(self.questions[q].tolist(), part):
                out[id // K] += own
        return out
