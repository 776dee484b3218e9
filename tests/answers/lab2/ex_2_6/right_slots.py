"""A class with slots, and an object for each request."""

LONG = True


class Request:
    __slots__ = ("answer",)

    def __init__(self):
        self.answer = None


class Window:
    __slots__ = ("comm", "next", "requests", "room")

    def __init__(self, comm, size):
        self.comm, self.room, self.requests, self.next = comm, size, {}, 0

    def take(self):
        letter = self.comm.poll()
        self.room += 1
        self.requests[letter.meta["q"]].answer = letter.tensors[0]

    def ask(self, server, key):
        while not self.room:
            self.take()
        number, self.next = self.next, self.next + 1
        self.comm.post(server, "pull", {"q": number, "key": key})
        self.requests[number], self.room = Request(), self.room - 1
        return number

    def wait(self, t):
        while self.requests[t].answer is None:
            self.take()
        return self.requests.pop(t).answer
