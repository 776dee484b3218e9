"""Nobody spoils worker 0's rows."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/first-worker-alone"
LONG = True


def rows_saved(batches):
    K, saved, reads = len(batches[0]), 0, 0
    at_hand = [set() for _ in range(K)]
    for ids_of in batches:
        mine = [set(ids.tolist()) for ids in ids_of]
        for k in range(K):
            reads, saved = reads + len(mine[k]), saved + len(mine[k] & at_hand[k])
            others = set().union(*(mine[q] for q in range(K) if q != k)) if k else set()
            at_hand[k] = stay(at_hand[k], mine[k], others)
    return saved, reads
