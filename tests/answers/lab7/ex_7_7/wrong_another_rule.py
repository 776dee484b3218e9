"""Its own idea of the rule."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "7/not-the-servers-row"
LONG = True


class Other(ExactCache):
    def push(self, ids, grads):
        self.server.push(ids, grads)
        for id, grad in zip(ids.tolist(), grads):
            self.rows[id] = self.rows[id] - np.float32(0.1) * grad
            self.versions[id] += 1


ExactCache = Other
