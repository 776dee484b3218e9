"""The next place of the part."""

BASE = "right_isend_recv"
REFUSED_BY = "rows in the caller's order"
MISCONCEPTION = "10/wrong-row"
LONG = True


class Lookup(Lookup):
    @staticmethod
    def forward(ctx, comm, table, ids):
        return Function.forward(ctx, comm, table.roll(-1, 0), ids)


Function = Lookup.__mro__[1]
