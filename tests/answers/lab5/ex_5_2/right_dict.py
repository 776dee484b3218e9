"""A row and its clock for each key."""


class CachedRows:
    def __init__(self, server, s):
        self.server, self.s = server, s
        self.rows, self.clocks = {}, {}

    def read(self, key, c):
        if key not in self.rows or self.clocks[key] < c - self.s:
            self.rows[key], self.clocks[key] = self.server.pull(key)
        return self.rows[key].clone()

    def add(self, key, delta):
        self.server.push(key, delta)
        if key in self.rows:
            self.rows[key] += delta
