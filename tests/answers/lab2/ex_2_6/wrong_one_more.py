"""Compares with size + 1."""

REFUSED_BY = "a full window, never more"
MISCONCEPTION = "2/window-one-too-large"


class Window:
    def __init__(self, comm, size):
        self.comm, self.size, self.next, self.open, self.answers = comm, size, 0, 0, {}

    def take(self):
        letter = self.comm.poll()
        self.open -= 1
        self.answers[letter.meta["q"]] = letter.tensors[0]

    def ask(self, server, key):
        while self.open > self.size:
            self.take()
        self.comm.post(server, "pull", {"q": self.next, "key": key})
        self.open += 1
        self.next += 1
        return self.next - 1

    def wait(self, t):
        while t not in self.answers:
            self.take()
        return self.answers.pop(t)
