"""Rows come three times, to be sure."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/more-than-asked"
LONG = True

plain = exchange


def exchange(comm, parts):
    if parts[0].dtype != torch.int64:
        plain(comm, parts)
        plain(comm, parts)
    return plain(comm, parts)
