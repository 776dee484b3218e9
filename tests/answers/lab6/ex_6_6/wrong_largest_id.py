"""The largest id, for ids from 0."""


BASE = "right_short"
REFUSED_BY = "rows of each batch"
MISCONCEPTION = "6/wrong-touched"
LONG = True


def touched(stream, B):
    return [int(stream[at:at + B].max()) for at in range(0, len(stream) - B + 1, B)]
