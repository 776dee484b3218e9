"""Each sum is finished before the next layer is computed."""

BASE = "right_two_halves"
REFUSED_BY = "beside the backward pass"
MISCONCEPTION = "10/computing-waits"
LONG = True


class Sum(Sum):
    def __init__(self, comm, x, tag):
        super().__init__(comm, x, tag)
        super().turn()
        self.done = super().finish()

    def turn(self):
        pass

    def finish(self):
        return self.done
