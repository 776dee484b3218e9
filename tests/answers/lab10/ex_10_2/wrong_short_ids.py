"""int32."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/ids-in-four-bytes"
LONG = True

plain = exchange


def exchange(comm, parts):
    short = [part.int() if part.dtype == torch.int64 else part for part in parts]
    return [part.long() if part.dtype == torch.int32 else part for part in plain(comm, short)]
