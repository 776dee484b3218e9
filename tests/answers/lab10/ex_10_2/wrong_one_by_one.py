"""A message for each row."""

BASE = "right_isend_recv"
REFUSED_BY = "ids out, rows back"
MISCONCEPTION = "10/one-by-one"
LONG = True

plain = exchange


def exchange(comm, parts):
    if parts[0].dtype == torch.int64:
        return plain(comm, parts)
    K, me = comm.world_size, comm.rank
    wants = WANTS.get(me) or [0] * K
    works = [comm.isend(row[None].contiguous(), q, tag=1 + at) for q in range(K) if q != me
             for at, row in enumerate(parts[q])]
    got = [parts[me] if q == me else torch.cat([torch.zeros(0, parts[me].shape[1], dtype=parts[me].dtype),
           *(comm.recv(q, tag=1 + at) for at in range(wants[q]))]) for q in range(K)]
    for work in works:
        work.wait()
    return got


WANTS = {}


def sharded_lookup(comm, table, ids):
    different = ids.unique()
    WANTS[comm.rank] = [int((different % comm.world_size == q).sum()) for q in range(comm.world_size)]
    return Lookup.apply(comm, table, ids)
