"""A copy is not answered."""

BASE = "right_mark"
REFUSED_BY = "copies and letters that overtake"
MISCONCEPTION = "2/copy-without-answer"
LONG = True


def apply_once(rows, seen, letter, window):
    if is_new(seen, letter["sender"], letter["incarnation"], letter["number"]):
        rows.index_add_(0, letter["keys"], letter["vals"])
        return letter["incarnation"], letter["number"]
