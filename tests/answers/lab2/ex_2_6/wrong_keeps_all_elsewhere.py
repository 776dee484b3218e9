"""Answers lie in a name of the notebook, and stay there."""

BASE = "right_slots"
REFUSED_BY = "nothing is kept"
MISCONCEPTION = "2/keeps-all-answers"
LONG = True

ARCHIVE = {}


class Window(Window):
    __slots__ = ()

    def wait(self, t):
        while self.requests[t].answer is None:
            self.take()
        ARCHIVE[len(ARCHIVE)] = answer = self.requests.pop(t).answer
        return answer
