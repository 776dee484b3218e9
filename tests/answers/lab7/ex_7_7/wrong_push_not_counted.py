"""Its own push is no version."""

BASE = "right_dicts"
REFUSED_BY = "what travels"
MISCONCEPTION = "7/own-push-not-counted"
LONG = True


class Other(ExactCache):
    def push(self, ids, grads):
        super().push(ids, grads)
        for id in ids.tolist():
            self.versions[id] -= 1


ExactCache = Other
