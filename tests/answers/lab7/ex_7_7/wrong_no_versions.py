"""Names no version."""

BASE = "right_dicts"
REFUSED_BY = "what travels"
MISCONCEPTION = "7/everything-anew"


class Other(ExactCache):
    def fetch(self, unique):
        self.versions = {}
        super().fetch(unique)


ExactCache = Other
