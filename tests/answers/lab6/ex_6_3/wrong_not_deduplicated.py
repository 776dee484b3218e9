"""Right rows, and every look-up travels."""


REFUSED_BY = "bytes on every link"
MISCONCEPTION = "6/not-deduplicated"


def dedup_lookup(comm, workers, cuts, ids, shard):
    if comm.rank >= workers:
        for w in range(workers):
            asked = comm.recv(w)
            comm.send(shard[asked - cuts[comm.rank - workers]], w)
        return None
    rows, parts, sending = None, [], []
    for s in range(len(cuts) - 1):
        parts.append((ids >= cuts[s]) & (ids < cuts[s + 1]))
        sending.append(comm.isend(ids[parts[-1]], workers + s))
    for s, mine in enumerate(parts):
        came = comm.recv(workers + s)
        rows = came.new_zeros(len(ids), came.shape[1]) if rows is None else rows
        rows[mine] = came
    for work in sending:
        work.wait()
    return rows
