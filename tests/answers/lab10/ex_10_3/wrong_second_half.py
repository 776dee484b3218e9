"""Only the first half travels beside backward."""

BASE = "right_two_halves"
REFUSED_BY = "beside the backward pass"
MISCONCEPTION = "10/second-half-waits"
LONG = True


class Sum(Sum):
    def turn(self):
        pass

    def finish(self):
        super().turn()
        return super().finish()
