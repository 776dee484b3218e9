"""Rows of duplicates added up."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "7/no-row-at-all"
LONG = True


class Other(ShardedLookup):
    def forward(self, ids):
        rows = super().forward(ids)
        return rows * np.bincount(self.inverse, minlength=len(self.unique))[self.inverse][:, None].astype(np.float32)


ShardedLookup = Other
