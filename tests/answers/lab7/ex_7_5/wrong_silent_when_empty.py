"""Who wants nothing says nothing."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "7/silent-when-empty"
LONG = True


class Other(ShardedLookup):
    def forward(self, ids):
        if not len(ids):
            return np.zeros((0, self.table.shape[1]), np.float32)
        return super().forward(ids)


ShardedLookup = Other
