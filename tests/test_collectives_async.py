"""async_op on the virtual clock: exact times, order, every collective; both engines."""

import inspect

import numpy as np
import pytest
import torch
from collectives_async import LINK, alone, everything, judge_own_messages, mine, overlapped, same, sums

from pslab import collectives, cost
from pslab.collectives import all_reduce, barrier, broadcast
from pslab.comm import SimWorld


@pytest.fixture(params=["threads", "greenlets"])
def engine(request):
    return request.param


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


@pytest.mark.parametrize("K", [1, 2, 3])
def test_every_collective_gives_what_its_blocking_call_gives(engine, K):
    world = SimWorld(K, engine=engine)
    blocking, started = world.run(everything, False), world.run(everything, True)
    for a, b in zip(blocking.results, started.results, strict=True):
        same(a, b)
    assert np.array_equal(blocking.ledger.counts, started.ledger.counts)


@pytest.mark.parametrize("name", ["all_gather", "all_reduce", "all_to_all", "barrier", "broadcast", "gather", "reduce",
                                  "reduce_scatter", "scatter"])
def test_every_option_goes_along(name):
    collective = getattr(collectives, name)
    options = set(inspect.signature(collective).parameters) - {"comm", "tensor", "tensors", "async_op"}

    def program(comm):
        given = [] if name == "barrier" else [[torch.ones(2)] if name in ("all_to_all", "scatter") else torch.ones(2)]
        comm.background = lambda call, *tensors, writes, name: call
        return sorted(collective(comm, *given, async_op=True).keywords)

    assert SimWorld(1).run(program).results == [sorted(options)]


def test_what_was_measured_of_the_world_goes_along(engine):
    def program(comm):
        comm.model = "measured"
        return comm.background(lambda twin: twin.model).wait()

    assert SimWorld(2, engine=engine).run(program).results == ["measured"] * 2


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
    judge_own_messages(SimWorld(3, engine=engine))


def test_a_thousand_ranks():
    def program(comm):
        x = np.full(1, float(comm.rank), np.float64)
        work = all_reduce(comm, x, algorithm="binomial", async_op=True)
        comm.compute(1e-3)
        work.wait()
        return x[0]

    assert set(SimWorld(1024, trace=False).run(program).results) == {1023 * 512.0}


def test_a_barrier_in_the_background_holds_up_its_wait_alone(engine):
    def each(comm):
        comm.compute(1.0 * comm.rank)
        work = barrier(comm, async_op=True)
        started_s = comm.now()
        work.wait()
        return started_s, comm.now()

    for rank, (started_s, waited_s) in enumerate(SimWorld(3, link=LINK, engine=engine).run(each).results):
        assert started_s == rank
        assert waited_s >= 2.0


def test_auto_goes_by_the_model_of_the_moment_of_the_start(engine):
    """When a strand comes to a call is another moment on every rank; the model may have changed until then."""
    slow = cost.AlphaBeta(1.0, 1e9)
    assert cost.fastest_all_reduce(999, 5, slow).algorithm == "recursive_doubling"

    def each(comm, algorithm, later):
        comm.model = slow if algorithm == "auto" else None
        works = [all_reduce(comm, mine(comm, 999), algorithm=algorithm, async_op=True) for _ in range(2)]
        if comm.rank < later:
            comm.compute(1e-9)                           # the others' strands begin before this rank's model changes
        comm.model = None
        works.append(all_reduce(comm, mine(comm, 999), algorithm="ring", async_op=True))
        for work in works:
            work.wait()

    run = SimWorld(5, link=LINK, engine=engine).run(each, "auto", 3)
    assert run.ledger.total() == SimWorld(5, link=LINK, engine=engine).run(each, "recursive_doubling", 0).ledger.total()
