"""The gradient of the first layer for all."""

BASE = "right_two_halves"
REFUSED_BY = "beside the backward pass"
MISCONCEPTION = "10/layers-mixed"
LONG = True


class Sum(Sum):
    def __init__(self, comm, x, tag):
        super().__init__(comm, x, tag)
        self.tag_of = tag

    def finish(self):
        total = super().finish()
        return total + (len(total) > 1000) * (self.tag_of // 2 == 6)
