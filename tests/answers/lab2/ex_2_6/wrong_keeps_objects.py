"""Each request is an object, and none is ever forgotten."""

BASE = "right_slots"
REFUSED_BY = "nothing is kept"
MISCONCEPTION = "2/keeps-all-answers"
LONG = True


class Window(Window):
    __slots__ = ()

    def wait(self, t):
        while self.requests[t].answer is None:
            self.take()
        return self.requests[t].answer
