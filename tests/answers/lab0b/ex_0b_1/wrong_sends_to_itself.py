"""The loop over all ranks includes the own one."""

REFUSED_BY = "equal parts"
MISCONCEPTION = "0B/own-part-travels"
LONG = True


def all_to_all(comm, parts):
    works = [comm.isend(parts[q], q) for q in range(comm.world_size)]
    result = [comm.recv(q) for q in range(comm.world_size)]
    for work in works:
        work.wait()
    return result
