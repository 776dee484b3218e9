"""The last window - 1 numbers."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/push-lost"
LONG = True


def apply_once(rows, seen, letter, window):
    who, number = (letter["sender"], letter["incarnation"]), letter["number"]
    highest, last = seen.get(who, (-1, ()))
    if number > highest or (number > highest - window + 1 and number not in last):
        highest = max(highest, number)
        last = tuple(n for n in (*last, number) if n > highest - window + 1)
        rows.index_add_(0, letter["keys"], letter["vals"])
    seen[who] = highest, last
    return who[1], number
