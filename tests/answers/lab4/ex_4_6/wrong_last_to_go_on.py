"""The one whose step ended last."""

REFUSED_BY = "slow for good"
MISCONCEPTION = "4/not-the-slow-one"
LONG = True


def who_was_slow(trace):
    return max(trace, key=lambda line: (line[4], line[0]))[0], "persistent"
