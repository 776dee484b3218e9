"""Remembers the last numbers, and takes what is older for new."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/applied-twice"
LONG = True


def apply_once(rows, seen, letter, window):
    who = letter["sender"], letter["incarnation"]
    last = seen.setdefault(who, [])
    if letter["number"] not in last:
        rows.index_add_(0, letter["keys"], letter["vals"])
        last.append(letter["number"])
        del last[:-window]
    return who[1], letter["number"]
