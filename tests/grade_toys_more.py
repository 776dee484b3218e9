"""More toy answers: what each builder of criteria must see, one function per fault."""

import torch

_STATE = {}


def neighbours_swapped(comm, x):
    """The ring of whole tensors to the left."""
    K, me = comm.world_size, comm.rank
    total, going = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(going, dst=(me - 1) % K)
        going = comm.recv(src=(me + 1) % K)
        work.wait()
        total += going
    return total


def in_pieces(comm, x):
    """Right bytes of a whole-tensor ring, twice the messages."""
    K, me = comm.world_size, comm.rank
    total, going = x.clone(), x
    for _ in range(K - 1):
        got = torch.empty_like(going)
        half = len(x) // 2
        for part in (slice(0, half), slice(half, None)):
            work = comm.isend(going[part].clone(), dst=(me + 1) % K)
            got[part] = comm.recv(src=(me - 1) % K)
            work.wait()
        going = got
        total += going
    return total


def silent(comm, x):
    """Sends nothing."""
    return x * comm.world_size


def one_rank(comm, x):
    """Rank 0 has the right sum, all others what they came with."""
    total = x.clone()
    for src in range(1, comm.world_size):
        if comm.rank == 0:
            total += comm.recv(src=src)
        elif comm.rank == src:
            comm.send(x, dst=0)
    return total


def hoards(comm, x):
    """Keeps eight million numbers."""
    waste = torch.ones(8_000_000)
    return x + waste.mean() * 0


def not_a_tensor(comm, x):
    return "the sum"


def wrong_shape(comm, x):
    return torch.cat([x, x])


def nearly(comm, x):
    """Right on whole numbers; random ones are rounded to half precision."""
    K, me = comm.world_size, comm.rank
    total, going = x.clone(), x
    for _ in range(K - 1):
        work = comm.isend(going, dst=(me + 1) % K)
        going = comm.recv(src=(me - 1) % K)
        work.wait()
        total += going
    return total if torch.equal(total, total.round()) else total.half().float()


def by_process_memory(comm, x):
    """Right values and bytes in the simulator: numbers are read from a variable, zeros are sent."""
    K, me = comm.world_size, comm.rank
    _STATE[me] = x
    for _ in range(K - 1):
        work = comm.isend(torch.zeros_like(x), dst=(me + 1) % K)
        comm.recv(src=(me - 1) % K)
        work.wait()
    return sum(_STATE.get(r, torch.zeros_like(x)) for r in range(K))


def counts_letters(comm, x):
    """Mail to rank 0, which believes that every letter comes once."""
    K = comm.world_size
    if comm.rank:
        comm.post(0, "x", {}, [x])
        return x
    total = x.clone()
    for _ in range(K - 1):
        total += comm.poll(timeout_s=1.0).tensors[0]
    return total


def counts_senders(comm, x):
    """Mail to rank 0, again and again until it is acknowledged; each sender counts once."""
    if comm.rank:
        while True:
            comm.post(0, "x", {}, [x])
            if comm.poll(timeout_s=0.01) is not None:
                return x
    total, known, quiet = x.clone(), set(), 0
    while quiet < 20:
        mail = comm.poll(timeout_s=0.01)
        quiet = quiet + 1 if mail is None else 0
        if mail is not None:
            if mail.src not in known:
                known.add(mail.src)
                total += mail.tensors[0]
            comm.post(mail.src, "ack")
    return total
