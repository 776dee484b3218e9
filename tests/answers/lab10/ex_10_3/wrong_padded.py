"""Chunks padded to a common length."""

BASE = "right_two_halves"
REFUSED_BY = "dense bytes"
MISCONCEPTION = "10/dense-more"
LONG = True


class Sum(Sum):
    def __init__(self, comm, x, tag):
        self.length = len(x)
        super().__init__(comm, torch.cat([x, x.new_zeros(-len(x) % 8 + 8)]), tag)

    def finish(self):
        return super().finish()[:self.length]
