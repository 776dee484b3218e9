"""ASP whatever comes."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/gives-up-on-ssp"
LONG = True


def choose_s(simulate, largest):
    simulate(0)
    return "ASP"
