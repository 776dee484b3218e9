"""Announces lengths."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/sizes-first"
LONG = True

plain = exchange


def exchange(comm, parts):
    if parts[0].dtype == torch.int64:
        plain(comm, [torch.tensor([len(part)]) for part in parts])
    return plain(comm, parts)
