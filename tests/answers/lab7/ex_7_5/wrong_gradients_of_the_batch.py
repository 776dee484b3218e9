"""The gradient of the batch, not of the table."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "all/bad-value"
LONG = True


class Other(ShardedLookup):
    def gathered(self, came):
        return np.concatenate(came)


ShardedLookup = Other
