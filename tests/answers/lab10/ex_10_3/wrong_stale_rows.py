"""Reads rows as they were before the last push."""

BASE = "right_two_halves"
REFUSED_BY = "losses of one process"
MISCONCEPTION = "10/stale-rows"
LONG = True

now = look_up
BEFORE = {}


def look_up(comm, table, ids):
    old = BEFORE.get(comm.rank, table)
    BEFORE[comm.rank] = table.clone()
    return now(comm, old, ids)


plain_push = push


def hybrid_step_of(step):
    def stepping(comm, net, dense, table, batch, global_size, lr):
        if net is not NETS.get(comm.rank):
            NETS[comm.rank] = net
            BEFORE.pop(comm.rank, None)
        return step(comm, net, dense, table, batch, global_size, lr)
    return stepping


NETS = {}
hybrid_step = hybrid_step_of(hybrid_step)
