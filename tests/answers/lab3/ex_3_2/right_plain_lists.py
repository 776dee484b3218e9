"""Lists and iterators, place by place, without NumPy."""

LONG = True


def split(keys, owners):
    parts = {}
    for key, server in zip(keys.tolist(), owners.tolist()):
        parts.setdefault(server, []).append(key)
    return parts


def merge(keys, owners, replies):
    coming = {server: iter(reply.tolist()) for server, reply in replies.items()}
    return [next(coming[server]) for server in owners.tolist()]
