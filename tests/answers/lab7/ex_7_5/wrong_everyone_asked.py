"""All ids to all."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/ids-to-everyone"
LONG = True


class Other(ShardedLookup):
    def forward(self, ids):
        self.unique, self.inverse = np.unique(ids, return_inverse=True)
        self.owner = self.unique % self.K
        came = exchange(self.comm, [self.unique] * self.K)
        self.asked = [asked[asked % self.K == self.comm.rank] for asked in came]
        replies = exchange(self.comm, [self.table[asked // self.K] for asked in self.asked])
        rows = np.zeros((len(self.unique), self.table.shape[1]), np.float32)
        for q, reply in enumerate(replies):
            rows[self.owner == q] = reply
        return rows[self.inverse]


ShardedLookup = Other
