"""The whole table to everyone."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/whole-table-travels"


class Other(ShardedLookup):
    def forward(self, ids):
        super().forward(ids)
        parts = exchange(self.comm, [self.table] * self.K)
        return np.array([parts[id % self.K][id // self.K] for id in ids.tolist()], np.float32).reshape(
            len(ids), self.table.shape[1])


ShardedLookup = Other
