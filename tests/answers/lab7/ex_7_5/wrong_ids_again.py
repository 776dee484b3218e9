"""Ids travel with the gradients."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "7/ids-again"
LONG = True


class Other(ShardedLookup):
    def backward(self, grad):
        exchange(self.comm, [self.unique[self.owner == q] for q in range(self.K)])
        return super().backward(grad)


ShardedLookup = Other
