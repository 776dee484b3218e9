"""A mean of what is a mean already."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/dense-averaged-twice"
LONG = True


class Sum(Sum):
    def finish(self):
        return super().finish() / self.comm.world_size
