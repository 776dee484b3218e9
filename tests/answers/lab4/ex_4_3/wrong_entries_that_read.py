"""Counts the reads in between."""

BASE = "right_counter"
REFUSED_BY = "the printed trace"
MISCONCEPTION = "4/reads-counted"
LONG = True


def staleness(trace):
    found, read = [], {}
    for place, (_, what, worker, step) in enumerate(trace):
        if what == "read":
            read[worker, step] = place
        else:
            found.append(sum(entry[1] == "read" for entry in trace[read[worker, step] + 1:place]))
    return found
