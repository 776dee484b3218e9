"""All parts in one variable."""

BASE = "right_isend_recv"
REFUSED_BY = "ids there, rows back"
MISCONCEPTION = "7/by-a-side-door"
LONG = True

TABLES = {}


def all_there(comm):
    return exchange(comm, [np.zeros(0, np.float32)] * comm.world_size)


class Other(ShardedLookup):
    def forward(self, ids):
        self.unique, self.inverse = np.unique(ids, return_inverse=True)
        self.owner = self.unique % self.K
        TABLES[self.comm.rank] = self.table
        all_there(self.comm)
        return np.array([TABLES[id % self.K][id // self.K] for id in ids.tolist()], np.float32).reshape(
            len(ids), self.table.shape[1])


ShardedLookup = Other
