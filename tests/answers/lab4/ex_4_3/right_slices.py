"""Looks both entries up and counts what is between them."""

LONG = True


def staleness(trace):
    plain = [(what, worker, step) for _, what, worker, step in trace]
    found = []
    for place, (what, worker, step) in enumerate(plain):
        if what == "apply":
            between = plain[plain.index(("read", worker, step)):place]
            found.append(sum(kind == "apply" for kind, _, _ in between))
    return found


def mean_staleness(trace):
    values = staleness(trace)
    who = [worker for _, what, worker, _ in trace if what == "apply"]
    return {k: sum(v for v, w in zip(values, who) if w == k) / who.count(k) for k in set(who)}
