"""Of workers the last gradient."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "7/last-worker-wins"
LONG = True


class Other(ShardedLookup):
    def gathered(self, came):
        total = np.zeros_like(self.table)
        for asked, part in zip(self.asked, came):
            total[asked // self.K] = part
        return total


ShardedLookup = Other
