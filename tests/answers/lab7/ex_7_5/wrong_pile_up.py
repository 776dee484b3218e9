"""The sum of all batches so far."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "7/gradients-pile-up"
LONG = True


class Other(ShardedLookup):
    def gathered(self, came):
        self.total = getattr(self, "total", 0) + super().gathered(came)
        return self.total.copy()


ShardedLookup = Other
