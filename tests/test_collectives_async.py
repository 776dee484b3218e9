"""async_op on the virtual clock: exact times, order, what is found out; both engines."""

import re

import numpy as np
import pytest
import torch

from pslab.collectives import (
    all_gather,
    all_reduce,
    all_reduce_fused,
    all_to_all,
    background,
    barrier,
    broadcast,
    gather,
    reduce,
    reduce_scatter,
    scatter,
)
from pslab.comm import CommError, Deadlock, Disagreement, Faults, Link, RankDied, SimWorld

LINK = Link(latency_s=2.0**-17, overhead_s=2.0**-18, bandwidth_Bps=2.0**30)          # dyadic: sums of times are exact


@pytest.fixture(params=["threads", "greenlets"])
def engine(request):
    return request.param


def mine(comm, P=12, dtype=torch.float64):
    """Element j of rank r is j·K + r."""
    return torch.arange(P, dtype=dtype) * comm.world_size + comm.rank


def sums(K, P=12):
    return torch.arange(P, dtype=torch.float64) * K * K + K * (K - 1) // 2


def alone(comm, P):
    all_reduce(comm, mine(comm, P))


def overlapped(comm, P, compute_s):
    x = mine(comm, P)
    work = all_reduce(comm, x, async_op=True)
    comm.compute(compute_s)
    work.wait()
    return comm.now(), x


@pytest.mark.parametrize("K", [2, 3, 5])
def test_the_longer_of_the_two_is_the_time(engine, K):
    world, P = SimWorld(K, link=LINK, engine=engine), 60 * 2**10
    comm_s = world.run(alone, P).seconds
    assert comm_s > 1e-4
    for compute_s in (0.0, comm_s / 2, comm_s, 1.5 * comm_s, 1.0):
        run = world.run(overlapped, P, compute_s)
        assert run.seconds == max(compute_s, comm_s)
        for now_s, x in run.results:
            assert now_s == run.seconds
            assert torch.equal(x, sums(K, P))
    assert run.ledger.total() == world.run(alone, P).ledger.total()


def test_both_engines_and_both_ways_through_the_simulator_give_one_run():
    def program(comm):
        works = [all_reduce(comm, mine(comm, 300 + 7 * i), async_op=True) for i in range(3)]
        for i in range(3):
            all_reduce(comm, mine(comm, 100 + i).numpy())
            comm.compute(1e-5)
        for work in works:
            work.wait()
        return comm.now()

    runs = [SimWorld(5, link=LINK, engine=engine, trace=trace).run(program)
            for engine in ("threads", "greenlets") for trace in (True, False)]
    assert len({(tuple(run.results), run.seconds, run.ledger.counts.tobytes()) for run in runs}) == 1
    assert runs[0].trace.to_bytes() == runs[2].trace.to_bytes()
    for rank in range(5):                                # what a strand waits for is none of its rank's own time
        spans = sorted((span for span in runs[0].trace.spans if span.rank == rank), key=lambda span: span.start_s)
        assert {span.what for span in spans} == {"compute", "wait"}
        assert all(a.end_s <= b.start_s for a, b in zip(spans, spans[1:]))


def test_two_lines_share_the_ports_of_their_rank(engine):
    """What the strand sends and what the program sends leave through one port, one after the other."""
    def program(comm):
        x = torch.zeros(2**10, dtype=torch.float64)
        work = broadcast(comm, x, 0, async_op=True)
        comm.compute(0.0)                                # the strand is first
        if comm.rank == 0:
            comm.isend(x.clone(), 1).wait()
        else:
            comm.recv(0)
        done_s = comm.now()
        work.wait()
        return done_s

    one_s = LINK.overhead_s + 2**13 / LINK.bandwidth_Bps
    sent_s, received_s = SimWorld(2, link=LINK, engine=engine).run(program).results
    assert sent_s == 2 * one_s
    assert received_s == 2 * one_s + LINK.latency_s


def test_one_after_the_other_as_started(engine):
    def program(comm, P):
        x, y = mine(comm, P), mine(comm, P)
        first, second = all_reduce(comm, x, async_op=True), all_reduce(comm, y, async_op=True)
        assert not first.is_completed()
        first.wait()
        first_s = comm.now()
        assert first.is_completed()
        assert not second.is_completed()
        second.wait()
        second.wait()                                    # a second time: nothing to do
        return first_s, comm.now(), y

    world = SimWorld(3, link=LINK, engine=engine)
    one_s = world.run(alone, 999).seconds
    for first_s, second_s, y in world.run(program, 999).results:
        assert (first_s, second_s) == (one_s, 2 * one_s)
        assert torch.equal(y, sums(3, 999))


def everything(comm, is_async):
    """The results of all collectives: (tensors written in place, results)."""
    K, r, x = comm.world_size, comm.rank, mine(comm, 11)
    written = [x.clone() for _ in range(5)]
    a, b, c, d, e = written
    odd = torch.zeros(11, 2, dtype=torch.float64)
    odd[:, 0] = x                                        # a column is not contiguous
    numpy = x.numpy().copy()
    many = [torch.full((2,), float(r)), x.clone()]
    calls = [
        lambda **o: all_reduce(comm, a, "max", algorithm="binomial", **o),
        lambda **o: all_reduce(comm, b, "mean", **o),
        lambda **o: broadcast(comm, c, K - 1, **o),
        lambda **o: reduce(comm, d, K - 1, **o),
        lambda **o: all_reduce(comm, e, algorithm="hierarchical", groups=2, **o),
        lambda **o: all_reduce(comm, odd[:, 0], **o),
        lambda **o: all_reduce(comm, numpy, **o),
        lambda **o: all_gather(comm, x[:r + 1], **o),
        lambda **o: all_to_all(comm, [x[:q + r] for q in range(K)], **o),
        lambda **o: gather(comm, x, K - 1, **o),
        lambda **o: reduce_scatter(comm, x, "max", **o),
        lambda **o: scatter(comm, [x[:q] for q in range(K)] if r == 1 % K else None, 1 % K, **o),
        lambda **o: barrier(comm, **o),
    ]
    results = [call(async_op=True) for call in calls] if is_async else [call() for call in calls]
    if is_async:
        results = [work.wait() for work in results]
        fused = background.start(comm, all_reduce_fused, many, writes=True).wait()
    else:
        fused = all_reduce_fused(comm, many)
    return [*written, odd, numpy, *many], results, fused


@pytest.mark.parametrize("K", [1, 2, 3])
def test_every_collective_gives_what_its_blocking_call_gives(engine, K):
    world = SimWorld(K, engine=engine)
    blocking, started = world.run(everything, False), world.run(everything, True)
    for a, b in zip(blocking.results, started.results, strict=True):
        same(a, b)
    assert np.array_equal(blocking.ledger.counts, started.ledger.counts)


def same(a, b):
    assert type(a) is type(b)
    if isinstance(a, (list, tuple)):
        assert len(a) == len(b)
        for x, y in zip(a, b):
            same(x, y)
    elif isinstance(a, torch.Tensor):
        assert torch.equal(a, b)
    else:
        assert np.array_equal(a, b)


def test_groups_have_strands_of_their_own(engine):
    """In two groups the starts may come in different orders on different ranks."""
    def program(comm):
        every, pair = comm, comm.split(0 if comm.rank < 2 else 1)
        x, y = mine(comm), mine(comm)
        starts = [lambda: all_reduce(every, x, async_op=True), lambda: all_reduce(pair, y, async_op=True)]
        works = [start() for start in (starts if comm.rank else starts[::-1])]
        for work in works:
            work.wait()
        return x, y

    for rank, (x, y) in enumerate(SimWorld(4, engine=engine).run(program).results):
        assert torch.equal(x, sums(4))
        low = rank // 2 * 2
        assert torch.equal(y, 2 * torch.arange(12, dtype=torch.float64) * 4 + 2 * low + 1)


def test_a_function_of_ones_own_with_messages_of_its_own(engine):
    """Equal tags on both lines never meet; what a strand starts itself has a strand of its own."""
    def around(comm, x):
        work = comm.isend(x, (comm.rank + 1) % comm.world_size)
        came = comm.recv((comm.rank - 1) % comm.world_size)
        work.wait()
        comm.barrier()
        comm.post((comm.rank + 1) % comm.world_size, "note", {"from": comm.rank})
        mail = comm.poll()
        part = comm.split(0)
        return all_reduce(part, came, async_op=True).wait(), came, mail.meta["from"]

    def program(comm):
        x = mine(comm)
        work = comm.background(around, x)
        mail_first = comm.poll(1e-3)                     # mail of the strand is not the program's
        _, came, sender = around(comm, x + 100)
        _, theirs, their_sender = work.wait()
        return mail_first, came, theirs, sender, their_sender

    for rank, (mail, came, theirs, *senders) in enumerate(SimWorld(3, engine=engine).run(program).results):
        assert mail is None
        assert torch.equal(theirs, sums(3))
        assert torch.equal(came, sums(3) + 300)
        assert senders == [(rank - 1) % 3] * 2


# ---- what is found out ----------------------------------------------------------------------------------------------


def test_who_looks_too_early_sees_the_old_values(engine):
    def program(comm):
        x = mine(comm)
        work = all_reduce(comm, x, async_op=True)
        comm.compute(1.0)                                # long done
        early = x.clone()
        work.wait()
        return work.is_completed(), early, x

    for rank, (done, early, x) in enumerate(SimWorld(2, engine=engine).run(program).results):
        assert done
        assert torch.equal(early, torch.arange(12, dtype=torch.float64) * 2 + rank)
        assert torch.equal(x, sums(2))


@pytest.mark.parametrize("moment_s", [0.0, 1e-6, 1.0])
@pytest.mark.parametrize("call", [all_reduce, all_gather], ids=["written", "read"])
def test_a_tensor_that_is_changed_before_wait_is_found(engine, moment_s, call):
    def program(comm):
        x = mine(comm, 5000)
        work = call(comm, x, async_op=True)
        comm.compute(moment_s)
        if comm.rank == 1:
            x[4321] += 1
        work.wait()

    with pytest.raises(CommError, match=r"rank 1: a tensor of all_\w+, started in the background at test_.*:\d+ in "
                                        r"program, was changed before its wait\(\) \(test_.*:\d+ in program\)"):
        SimWorld(2, engine=engine).run(program)


def test_the_order_of_starts_must_agree(engine):
    def program(comm):
        x, y = mine(comm), mine(comm)
        starts = [lambda: all_reduce(comm, x, async_op=True), lambda: all_gather(comm, y, async_op=True)]
        for work in [start() for start in (starts if comm.rank else starts[::-1])]:
            work.wait()

    with pytest.raises(Disagreement, match=r"(?s)0 +all_gather\(.*test_collectives_async.py:\d+ in <lambda>.*"
                                           r"1 +all_reduce\("):
        SimWorld(2, engine=engine).run(program)


def test_blocking_here_and_in_the_background_there_do_not_meet(engine):
    def program(comm):
        x = mine(comm)
        if comm.rank:
            all_reduce(comm, x)
        else:
            all_reduce(comm, x, async_op=True).wait()

    with pytest.raises(Deadlock, match="in the background; rank 1 has started nothing there") as deadlock:
        SimWorld(2, engine=engine).run(program)
    assert re.search(r"0 +wait\(\) of all_reduce +rank 1 .*in program", str(deadlock.value))


def test_a_program_that_does_not_wait_is_told_where(engine):
    def program(comm):
        all_reduce(comm, mine(comm), async_op=True).wait()
        all_reduce(comm, mine(comm), async_op=True)
        comm.compute(1.0)

    line = program.__code__.co_firstlineno + 2
    with pytest.raises(CommError, match=rf"rank \d ended its program without waiting .*: all_reduce, started at "
                                        rf"test_collectives_async.py:{line} in program; call wait\(\)"):
        SimWorld(2, engine=engine).run(program)


def test_an_error_comes_out_of_wait_and_those_behind_it_are_not_begun(engine):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        x, y = mine(comm), mine(comm)
        first, second = comm.background(fails, x), all_reduce(comm, y, async_op=True)
        with pytest.raises(KeyError, match="mine") as told:
            first.wait()
        with pytest.raises(CommError, match=r"all_reduce, started at .*, was not begun: fails, which was started "
                                            r"before it at .*, failed: 'mine'"):
            second.wait()
        all_reduce(comm, y)                              # the group itself is well
        return told.value.__notes__, y

    for notes, y in SimWorld(2, engine=engine).run(program).results:
        assert re.match(r"in the background: fails, started at test_collectives_async.py:\d+ in program", notes[0])
        assert torch.equal(y, sums(2))


def test_a_failure_that_nobody_waited_for_is_in_the_table(engine):
    def fails(comm, x):
        raise KeyError("mine")

    def program(comm):
        work = comm.background(fails, mine(comm))
        comm.recv(1 - comm.rank)
        work.wait()

    with pytest.raises(Deadlock, match=r"fails, started at .* in program, failed with KeyError: 'mine'"):
        SimWorld(2, engine=engine).run(program)


def test_time_outs_are_virtual_and_may_be_followed_by_another_wait(engine):
    def program(comm, P):
        x = mine(comm, P)
        work = all_reduce(comm, x, async_op=True)
        with pytest.raises(TimeoutError, match="wait.. of all_reduce took longer than timeout_s=1e-06 seconds"):
            work.wait(timeout_s=1e-6)
        at_s = comm.now()
        work.wait(timeout_s=1.0)
        return at_s, comm.now(), x

    world = SimWorld(3, link=LINK, engine=engine)
    for at_s, end_s, x in world.run(program, 999).results:
        assert (at_s, end_s) == (1e-6, world.run(alone, 999).seconds)
        assert torch.equal(x, sums(3, 999))


def test_a_crash_and_an_exit_end_the_run(engine):
    def program(comm):
        all_reduce(comm, mine(comm, 2**16), async_op=True).wait()

    def leaves(comm):
        comm.background(lambda twin: exit(3)).wait()

    with pytest.raises(RankDied, match="rank 1 was killed by signal 9"):
        SimWorld(3, link=LINK, engine=engine, faults=Faults(crash={1: 1e-4})).run(program)
    with pytest.raises(RankDied, match="left with exit code 3"):
        SimWorld(2, engine=engine).run(leaves)
    assert SimWorld(2, engine=engine).run(overlapped, 12, 0.0).results[0][1].equal(sums(2))


def test_bad_arguments_are_told_where_they_are_given(engine):
    def program(comm):
        with pytest.raises(ValueError, match="op='median'; allowed"):
            all_reduce(comm, mine(comm), "median", async_op=True)
        with pytest.raises(ValueError, match="src=7; this group has ranks 0..1"):
            broadcast(comm, mine(comm), 7, async_op=True)
        with pytest.raises(ValueError, match="a torch future would wait in real time"):
            work = all_reduce(comm, mine(comm), async_op=True)
            work.get_future()
        work.wait()

    SimWorld(2, engine=engine).run(program)


def test_a_thousand_ranks():
    def program(comm):
        x = np.full(1, float(comm.rank), np.float64)
        work = all_reduce(comm, x, algorithm="binomial", async_op=True)
        comm.compute(1e-3)
        work.wait()
        return x[0]

    assert set(SimWorld(1024, trace=False).run(program).results) == {1023 * 512.0}
