"""The fastest where it matters."""

REFUSED_BY = "stragglers that come and go"
MISCONCEPTION = "5/larger-than-needed"


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(11)]
    if min(times) > 0.93 * times[0]:
        return 0
    return min(range(11), key=times.__getitem__)
