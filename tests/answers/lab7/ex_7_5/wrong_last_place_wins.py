"""Of duplicates the last gradient."""

BASE = "right_isend_recv"
REFUSED_BY = "sums at the owner"
MISCONCEPTION = "7/last-gradient-wins"


class Other(ShardedLookup):
    def sums(self, grad):
        out = np.zeros((len(self.unique), self.table.shape[1]), np.float32)
        out[self.inverse] = grad
        return out


ShardedLookup = Other
