"""Names each place."""

BASE = "right_dicts"
REFUSED_BY = "what travels"
MISCONCEPTION = "7/named-twice"
LONG = True


class Other(ExactCache):
    def read(self, ids):
        self.fetch(ids.tolist())
        return np.stack([self.rows[id] for id in ids.tolist()])


ExactCache = Other
