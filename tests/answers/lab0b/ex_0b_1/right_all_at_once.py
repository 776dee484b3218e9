"""Everything is posted first, then everything is waited for."""


def all_to_all(comm, parts):
    K, r = comm.world_size, comm.rank
    others = [q for q in range(K) if q != r]
    coming = {q: comm.irecv(q) for q in others}
    leaving = [comm.isend(parts[q].contiguous(), q) for q in others]
    result = [parts[r].clone() if q == r else coming[q].wait() for q in range(K)]
    for work in leaving:
        work.wait()
    return result
