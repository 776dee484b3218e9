"""A row for each different id."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "all/bad-value"
LONG = True


class Other(ExactCache):
    def read(self, ids):
        return super().read(np.unique(ids))


ExactCache = Other
