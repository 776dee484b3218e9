"""Freshens all that it has."""

BASE = "right_dicts"
REFUSED_BY = "what travels"
MISCONCEPTION = "7/asks-for-the-whole-cache"
LONG = True


class Other(ExactCache):
    def fetch(self, unique):
        super().fetch(sorted({*unique, *self.rows}))


ExactCache = Other
