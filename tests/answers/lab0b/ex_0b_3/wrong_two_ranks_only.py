"""Takes the rank to the left for everybody else."""

BASE = "right_ring"
REFUSED_BY = "three ranks"
MISCONCEPTION = "0B/bucket-left-out"
LONG = True


def ring_hook(comm, bucket):
    sending = comm.isend(bucket.buffer(), (comm.rank + 1) % comm.world_size)
    total = bucket.buffer() + comm.recv((comm.rank - 1) % comm.world_size)
    sending.wait()
    return in_an_envelope(total / comm.world_size)
