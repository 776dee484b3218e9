"""Its own gradient twice."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "7/own-push-twice"
LONG = True


class Other(ExactCache):
    def push(self, ids, grads):
        super().push(ids, grads)
        for id, grad in zip(ids.tolist(), grads):
            self.rows[id] = self.rows[id] - np.float32(0.5) * grad


ExactCache = Other
