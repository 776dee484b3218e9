"""Runs until it is sure."""

REFUSED_BY = "a worker that is slow for good"
MISCONCEPTION = "all/raised"
LONG = True


def choose_s(simulate, largest):
    while True:
        simulate(1)
