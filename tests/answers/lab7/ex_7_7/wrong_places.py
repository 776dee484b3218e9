"""Places, and not different ids."""

BASE = "right_dicts"
REFUSED_BY = "the saving, told before"
MISCONCEPTION = "7/places-counted"
LONG = True


class Bag(list):
    def __and__(self, other):
        return [id for id in self if id in other]


def rows_saved(batches):
    K, saved, reads = len(batches[0]), 0, 0
    at_hand = [set() for _ in range(K)]
    for ids_of in batches:
        for k, ids in enumerate(ids_of):
            reads, saved = reads + len(ids), saved + len(Bag(ids.tolist()) & at_hand[k])
        for k in range(K):
            others = set().union(*(ids_of[q].tolist() for q in range(K) if q != k))
            at_hand[k] = (at_hand[k] | set(ids_of[k].tolist())) - others
    return saved, reads
