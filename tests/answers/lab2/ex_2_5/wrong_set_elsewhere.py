"""A set of all that ever came, in a name of the notebook; `seen` holds its number."""

BASE = "right_mark"
REFUSED_BY = "little memory"
MISCONCEPTION = "2/remembers-everything"
LONG = True

ARCHIVE = {}


def is_new(seen, sender, incarnation, number):
    known = ARCHIVE.setdefault(seen.setdefault("place", len(ARCHIVE)), set())
    new = (sender, incarnation, number) not in known
    known.add((sender, incarnation, number))
    return new
