"""Keeps only the answer that is waited for."""

REFUSED_BY = "each answer to its request"
MISCONCEPTION = "2/answer-thrown-away"
LONG = True


class Window:
    def __init__(self, comm, size):
        self.comm, self.size, self.next, self.open, self.answers = comm, size, 0, 0, {}

    def take(self):
        letter = self.comm.poll()
        self.open -= 1
        self.answers[letter.meta["q"]] = letter.tensors[0]

    def ask(self, server, key):
        while self.open == self.size:
            self.take()
        self.comm.post(server, "pull", {"q": self.next, "key": key})
        self.open += 1
        self.next += 1
        return self.next - 1

    def wait(self, t):
        while True:
            self.take()
            if t in self.answers:
                return self.answers.pop(t)
            self.answers.clear()
