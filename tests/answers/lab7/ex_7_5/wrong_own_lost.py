"""Only what came over the network."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "7/own-gradients-lost"
LONG = True


class Other(ShardedLookup):
    def gathered(self, came):
        return super().gathered([part * (q != self.comm.rank) for q, part in enumerate(came)])


ShardedLookup = Other
