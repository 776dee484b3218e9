"""Lets late iterations pass."""

REFUSED_BY = "twenty schedules"
MISCONCEPTION = "5/issued-too-early"
LONG = True


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(t - tau if t < 8 else 0))
