"""The other sign."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "7/wrong-sum"
LONG = True


class Other(ShardedLookup):
    def gathered(self, came):
        return -super().gathered(came)


ShardedLookup = Other
