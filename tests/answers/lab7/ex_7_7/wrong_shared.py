"""One cache for all workers."""

BASE = "right_dicts"
REFUSED_BY = "what travels"
MISCONCEPTION = "7/shared-between-workers"
LONG = True

ROWS = {}


class Other(ExactCache):
    def fetch(self, unique):
        todo = [id for id in unique if id not in ROWS]
        super().fetch(todo)
        for id in todo:
            ROWS[id] = self.rows[id]
        for id in unique:
            self.rows[id], self.versions[id] = ROWS[id], self.versions.get(id, 0)

    def push(self, ids, grads):
        super().push(ids, grads)
        ROWS.clear()


ExactCache = Other
