"""pslab.train knows when who may begin."""

from pslab.train.timing import schedule

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "all/forbidden"
LONG = True


def may_begin(commits, me, s):
    return bool(schedule([[1.0]], s)) and min(commits) >= commits[me] - s
