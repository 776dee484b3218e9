"""In fractions, so that nothing is rounded before the end."""

from fractions import Fraction

LONG = True


def row(kind, D):
    return {"fp32": Fraction(4 * D), "int8": Fraction(D + 8), "int4": Fraction(D, 2) + 4}[kind]


class Design:
    def __init__(self, spec):
        self.__dict__.update(spec)

    def apply(self, what, value):
        if what in ("stored", "wire", "slots", "hosts"):
            setattr(self, what, value)
        elif what == "requester cache":
            self.hit_rate = value
        elif what == "hashing":
            self.rows = value
        elif what == "de-duplication":
            self.lookups = value
        elif what == "quotient-remainder":
            self.rows, self.lookups = value + -(-self.rows // value), 2 * self.lookups

    def sums(self):
        table = self.rows * (row(self.stored, self.dim) + 4 * self.dim * self.slots)
        misses = (1 - Fraction(self.hit_rate)) * self.lookups
        comm = misses * Fraction(self.hosts - 1, self.hosts) * row(self.wire, self.dim)
        return table, comm, comm / self.hosts


def effect(change, spec):
    before, after = Design(spec), Design(spec)
    after.apply(*change)
    return tuple(float(new / old) for new, old in zip(after.sums(), before.sums()))


def relieves(change, spec):
    table, comm, _ = effect(change, spec)
    return ["neither", "wire", "table", "both"][2 * (table < 1) + (comm < 1)]
