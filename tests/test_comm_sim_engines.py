"""Same seed, same run, to the last bit: on threads, on greenlets, by the short way and by the plain one."""

import numpy as np
import pytest
import torch

from pslab.comm import Faults, Link, SimWorld
from pslab.comm.sim import endpoint


def busy(comm):
    """A bit of everything: tensors both ways round, mail to and from all, groups, time-outs."""
    size, rank = comm.world_size, comm.rank
    x = torch.arange(float(7 + rank)) * size + rank
    total = np.zeros(40, np.float32)
    log = []
    for step in range(4):
        right, left = (rank + 1 + step) % size, (rank - 1 - step) % size
        if right == rank:
            continue
        comm.compute(1e-5 * float(torch.rand((), generator=comm.rng)))
        mine = np.full(40, rank + step, np.float32)
        work = comm.isend(mine, right, tag=step)
        early = comm.irecv(left, tag=9)
        comm.recv(left, tag=step, out=total, op="sum")
        comm.isend(x, right, tag=9).wait()
        work.wait()
        log.append(early.wait().tolist())
        comm.post((rank * 3 + step) % size, "hello", {"step": step}, [x])
        mail = comm.poll(2e-5)
        log.append((mail.src, mail.meta["step"]) if mail else comm.now())
    group = comm.split(rank % 2)
    group.barrier()
    while (mail := comm.poll(1e-3)) is not None:
        log.append((mail.src, mail.meta["step"]))
    return log, total.tolist(), comm.now()


def as_bytes(world):
    run = world.run(busy)
    return run.trace.to_bytes(), repr(run.results), run.seconds, run.ledger.counts.tobytes(), run.ledger.sent.tobytes()


@pytest.mark.parametrize("faults", [None, Faults(seed=3, drop=0.2, duplicate=0.3, reorder_s=1e-4, delay_s=1e-5,
                                                 slow={1: 3.0})])
@pytest.mark.parametrize("size", [2, 5, 8])
def test_engines_give_the_same_run_and_the_same_again(size, faults):
    link = Link(latency_s=3e-6, overhead_s=1e-6, bandwidth_Bps=1e8)
    runs = {engine: as_bytes(SimWorld(size, link=link, engine=engine, seed=5, faults=faults))
            for engine in ("threads", "greenlets")}
    assert runs["threads"] == runs["greenlets"]
    assert as_bytes(SimWorld(size, link=link, seed=5, faults=faults)) == runs["threads"]
    assert len(runs["threads"][0]) > 1000
    assert as_bytes(SimWorld(size, link=link, seed=6, faults=faults))[0] != runs["threads"][0]      # seed matters


def test_the_trace_changes_nothing_but_itself():
    traced, plain = SimWorld(5, seed=1).run(busy), SimWorld(5, seed=1, trace=False).run(busy)
    assert (traced.results, traced.seconds) == (plain.results, plain.seconds)
    assert (traced.ledger.counts == plain.ledger.counts).all()
    assert len(plain.trace) == 0
    assert len(traced.trace) > 20


def test_the_short_way_is_the_plain_way(monkeypatch):
    """Arrays of equal and of wrong shape, tensors in between, blocking sends, many of one tag: both ways the same."""
    def program(comm):
        size, rank = comm.world_size, comm.rank
        right, left = (rank + 1) % size, (rank - 1) % size
        out, log = np.zeros(6, np.float32), []
        for step in range(12):
            mine = np.arange(6, dtype=np.float32) + rank * step
            if step % 5 == 3:
                comm.compute(1e-6 * rank)
            works = [comm.isend(torch.from_numpy(mine) if step % 3 == 2 else mine, right)]
            if step % 4 == 1:
                works.append(comm.isend(mine * 2, right))
                got = comm.irecv(left)
                comm.recv(left, out=out, op="max")
                log.append(got.wait().tolist())
            elif step % 4 == 2:
                try:
                    comm.recv(left, out=np.zeros((2, 3), np.float32))
                except ValueError as error:
                    log.append(str(error))
                try:
                    works[0].wait()
                except ValueError as error:
                    log.append(str(error))
                continue
            else:
                comm.recv(left, out=out, op=(None, "sum", "min", "prod")[step % 4])
            for work in works:
                work.wait()
            log.append((comm.now(), out.tolist()))
        for step in range(6):                       # ports that mail keeps busy, the sender's, the receiver's or both
            if step % 3 != 1:
                comm.post(left, "heavy", {}, [torch.zeros(5000 * (rank + 1))])
            if step % 2 == 0:
                comm.compute(1e-6 * ((rank * 2) % size))
            work = comm.isend(out.copy(), right)
            comm.recv(left, out=out, op="sum")
            work.wait()
            log.append(comm.now())
        for step in range(6):                       # two tags, received in the other order, before and after the sends
            comm.compute(1e-4 * ((rank + step) % 2))
            first = comm.isend(out + 1, right, tag=1)
            comm.compute(1e-4 * (step % 3 == 0))
            second = comm.isend(out + 2, right, tag=2)
            comm.recv(left, tag=2, out=out)
            comm.recv(left, tag=1, out=out, op="max")
            first.wait(), second.wait()
            log.append((comm.now(), out.tolist()))
        if rank % 2:
            comm.send(out, left if size % 2 == 0 or rank else right)
        elif rank + 1 < size:
            comm.recv(right, out=out)
        return log, out.tolist(), comm.now()

    for size in (2, 3, 6):
        for engine in ("threads", "greenlets"):
            short = SimWorld(size, engine=engine, trace=False).run(program)
            with monkeypatch.context() as patch:
                init = endpoint.Fabric.__init__

                def plain(self, *args, init=init):
                    init(self, *args)
                    self.short_way = False

                patch.setattr(endpoint.Fabric, "__init__", plain)
                long = SimWorld(size, engine=engine, trace=False).run(program)
            assert short.results == long.results
            assert short.seconds == long.seconds
            assert (short.ledger.counts == long.ledger.counts).all()


def test_auto_takes_threads_up_to_64_ranks():
    assert [SimWorld(size).engine for size in (1, 64, 65, 1024)] == ["threads", "threads", "greenlets", "greenlets"]
    assert SimWorld(2, engine="greenlets").engine == "greenlets"


def test_ranks_start_in_a_shallow_stack_on_many_greenlets():
    """A greenlet inherits the depth of calls of whoever starts it: 300 ranks, each with 500 calls of its own."""
    def down(depth, comm):
        return down(depth - 1, comm) if depth else comm.barrier()

    SimWorld(300, trace=False).run(lambda comm: down(500, comm))


def test_comm_rng_is_seeded_by_world_and_rank():
    def program(comm):
        return torch.rand(3, generator=comm.rng).tolist()

    first, again, other = (SimWorld(3, seed=seed).run(program).results for seed in (0, 0, 1))
    assert first == again
    assert len({tuple(row) for row in first + other}) == 6
