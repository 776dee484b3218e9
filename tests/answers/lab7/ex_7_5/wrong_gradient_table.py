"""A gradient for each row of the part."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "7/gradient-of-the-table"
LONG = True

SIZES = {}


class Other(ShardedLookup):
    def backward(self, grad):
        K, D = self.K, self.table.shape[1]
        rows = exchange(self.comm, [self.table[:0, :0]] * K)
        sizes = SIZES.setdefault(id(type(self)), {})
        sizes[self.comm.rank] = len(self.table)
        exchange(self.comm, [self.table[:0, :0]] * K)
        whole = [np.zeros((sizes[q], D), np.float32) for q in range(K)]
        for id_, own in zip(self.unique.tolist(), self.sums(grad)):
            whole[id_ % K][id_ // K] = own
        return sum(exchange(self.comm, whole)) + 0 * len(rows)


ShardedLookup = Other
