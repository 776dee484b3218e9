"""What it has it never asks for."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "7/never-asked-again"


class Other(ExactCache):
    def fetch(self, unique):
        super().fetch([id for id in unique if id not in self.rows])


ExactCache = Other
