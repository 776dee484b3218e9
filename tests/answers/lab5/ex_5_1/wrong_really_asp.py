"""Nobody waits."""

REFUSED_BY = "one decision at a time"
MISCONCEPTION = "5/really-asp"
LONG = True


def may_begin(commits, me, s):
    return True
