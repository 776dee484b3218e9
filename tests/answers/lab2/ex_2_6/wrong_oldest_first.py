"""A full window waits for its oldest."""

REFUSED_BY = "a slow server holds up nobody"
MISCONCEPTION = "2/oldest-first"


class Window:
    def __init__(self, comm, size):
        self.comm, self.size, self.next, self.open, self.answers = comm, size, 0, 0, {}
        self.done = set()

    def take(self):
        letter = self.comm.poll()
        self.open -= 1
        self.answers[letter.meta["q"]] = letter.tensors[0]

    def ask(self, server, key):
        oldest = self.next - self.size
        while self.open == self.size and oldest not in self.done:
            self.take()
            self.done |= set(self.answers)
        while self.size and oldest >= 0 and oldest not in self.done:
            self.take()
            self.done |= set(self.answers)
        self.comm.post(server, "pull", {"q": self.next, "key": key})
        self.open += 1
        self.next += 1
        return self.next - 1

    def wait(self, t):
        while t not in self.answers:
            self.take()
        self.done.add(t)
        return self.answers.pop(t)
