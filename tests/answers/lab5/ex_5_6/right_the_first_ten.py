"""One after the other, as far as the runs go; a persistent straggler is known by times that hardly change."""

LONG = True


def choose_s(simulate, largest):
    times = [simulate(s)["to_target_ms"] for s in range(min(largest + 1, 10))]
    finite = [ms for ms in times if ms < float("inf")]
    if max(finite) < 1.08 * min(finite):
        return "ASP"
    return next(s for s, ms in enumerate(times) if ms <= 1.1 * min(times))
