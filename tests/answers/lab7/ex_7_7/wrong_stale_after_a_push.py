"""Counts its push and keeps the old row."""

BASE = "right_dicts"
REFUSED_BY = "reads, bit for bit"
MISCONCEPTION = "7/own-push-not-applied"


class Other(ExactCache):
    def push(self, ids, grads):
        self.server.push(ids, grads)
        for id in ids.tolist():
            self.versions[id] += 1


ExactCache = Other
