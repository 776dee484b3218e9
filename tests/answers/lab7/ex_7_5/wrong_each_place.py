"""Asks for each place."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/each-place-asked"
LONG = True


class Other(ShardedLookup):
    def forward(self, ids):
        self.unique, self.inverse, self.owner = ids, np.arange(len(ids)), ids % self.K
        self.asked = exchange(self.comm, [ids[self.owner == q] for q in range(self.K)])
        replies = exchange(self.comm, [self.table[asked // self.K] for asked in self.asked])
        rows = np.zeros((len(ids), self.table.shape[1]), np.float32)
        for q, reply in enumerate(replies):
            rows[self.owner == q] = reply
        return rows


ShardedLookup = Other
