"""0 is safe."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/bsp-always"
LONG = True


def choose_s(simulate, largest):
    simulate(0)
    return 0
