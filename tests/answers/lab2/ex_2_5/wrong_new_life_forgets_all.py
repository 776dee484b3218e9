"""A new life clears the memory."""

BASE = "right_mark"
REFUSED_BY = "a worker that starts again"
MISCONCEPTION = "2/new-life-forgets-all"
LONG = True


def is_new(seen, sender, incarnation, number):
    lives = seen.setdefault("lives", {})
    if incarnation > lives.get(sender, incarnation):
        seen.clear()
        seen["lives"] = lives
    lives[sender] = max(incarnation, lives.get(sender, incarnation))
    who = sender, incarnation, number
    new = who not in seen
    seen[who] = True
    return new
