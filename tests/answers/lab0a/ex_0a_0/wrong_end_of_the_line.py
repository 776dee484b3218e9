"""The two at the end of the line."""

BASE = "right_plain"
REFUSED_BY = "the circle in the report"
MISCONCEPTION = "0/follow-the-waiting"
LONG = True


def circle():
    return [2, 3]
