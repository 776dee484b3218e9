"""What comes late is not taken in."""

BASE = "right_dict"
REFUSED_BY = "the oracle"
MISCONCEPTION = "7/oracle-may-refuse"
LONG = True


def belady_hits(stream, capacity):
    ids, held, hits = stream.tolist(), {}, 0
    for id, following in zip(ids, next_uses(ids)):
        if id in held:
            hits += 1
        elif len(held) == capacity:
            gone = worst(held, None)
            if held[gone] < following:
                continue
            del held[gone]
        held[id] = following
    return hits
