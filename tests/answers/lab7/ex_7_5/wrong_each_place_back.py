"""Every place sends its id and its gradient."""

BASE = "right_isend_recv"
REFUSED_BY = "bytes of the gradients"
MISCONCEPTION = "7/gradient-of-each-place"


class Other(ShardedLookup):
    def backward(self, grad):
        places = self.unique[self.inverse]
        asked = exchange(self.comm, [places[places % self.K == q] for q in range(self.K)])
        came = exchange(self.comm, [grad[places % self.K == q] for q in range(self.K)])
        total = np.zeros_like(self.table)
        for ids, part in zip(asked, came):
            np.add.at(total, ids // self.K, part)
        return total


ShardedLookup = Other
