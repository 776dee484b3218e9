"""Rows as the owners send them."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "7/order-of-the-owners"
LONG = True


class Other(ShardedLookup):
    def forward(self, ids):
        rows = super().forward(ids)
        return rows[np.argsort(ids % self.K, kind="stable")]


ShardedLookup = Other
