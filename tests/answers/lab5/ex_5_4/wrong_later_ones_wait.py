"""Late iterations wait for all."""

REFUSED_BY = "twenty schedules"
MISCONCEPTION = "5/issued-too-late"
LONG = True


def may_issue(finished, me, t, tau):
    return all(i in finished[me] for i in range(t - tau if t < 8 else t))
