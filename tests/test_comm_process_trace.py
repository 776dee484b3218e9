"""The trace of real processes: every message of the ledger, on one clock, and what each rank did in between."""

import time
from collections import Counter

import numpy as np
import pytest
import torch

from pslab import collectives
from pslab.comm import Link, ProcessWorld

CALLS = {
    "ring": lambda comm, x: collectives.all_reduce(comm, x, algorithm="ring"),
    "chunked ring": lambda comm, x: collectives.all_reduce(comm, x, algorithm="chunked_ring", chunks=3),
    "binomial": lambda comm, x: collectives.all_reduce(comm, x, algorithm="binomial"),
    "halving-doubling": lambda comm, x: collectives.all_reduce(comm, x, algorithm="halving_doubling"),
    "broadcast": lambda comm, x: collectives.broadcast(comm, x, 1),
    "all_gather": lambda comm, x: collectives.all_gather(comm, x),
    "all_to_all": lambda comm, x: collectives.all_to_all(comm, list(x.tensor_split(comm.world_size))),
    "gather": lambda comm, x: collectives.gather(comm, x, 2),
    "in the background": lambda comm, x: collectives.all_reduce(comm, x, async_op=True).wait(),
}
TRANSPORTS = {"shm": {"transport": "shm"}, "tcp": {"transport": "tcp"},
              "throttled": {"transport": "shm", "link": Link(latency_s=1e-5, bandwidth_Bps=2e9)}}


def collective(comm, name, elements, kits_own=False):
    x = comm.empty(elements) if kits_own else torch.empty(elements)
    CALLS[name](comm, x.copy_(torch.arange(elements) * comm.world_size + comm.rank))


def mail(comm, elements):
    """Letters of every size to everyone, oneself included, in an order that is not that of their arrival."""
    for dst in range(comm.world_size):
        comm.post(dst, "small", {"from": comm.rank})
        comm.post(dst, "large", {}, [torch.arange(elements + comm.rank), torch.ones(3)])
    comm.barrier()
    return [comm.poll().kind for _ in range(2 * comm.world_size)]


def check_complete(run):
    """Every message of the ledger once, with its bytes, its moments in order."""
    size = run.ledger.world_size
    found, count = np.zeros((size, size), np.int64), np.zeros((size, size), np.int64)
    for e in run.trace.events:
        found[e.src, e.dst] += e.payload_bytes
        count[e.src, e.dst] += 1
        assert 0 <= e.posted_s <= e.start_s <= e.end_s <= e.arrive_s <= e.received_s <= run.seconds + 1, e
    np.testing.assert_array_equal(found, run.ledger.counts.sum(2))
    np.testing.assert_array_equal(count, run.ledger.sent)
    assert [e.received_s for e in run.trace.events] == sorted(e.received_s for e in run.trace.events)
    for s in run.trace.spans:
        assert 0 <= s.start_s <= s.end_s <= run.seconds + 1


@pytest.fixture(scope="module", params=TRANSPORTS)
def world(request):
    with ProcessWorld(3, trace=True, **TRANSPORTS[request.param]) as world:
        yield world


@pytest.mark.parametrize("elements", [2, 40_001])
@pytest.mark.parametrize("name", CALLS)
def test_every_message_of_a_collective_is_there_with_its_bytes(world, name, elements):
    run = world.run(collective, name, elements)
    check_complete(run)
    assert len(run.trace) > 0
    assert {e.plane for e in run.trace.events} == {"tensor"}


def test_tensors_in_the_kits_own_memory_are_traced_too(world):
    for name in ("ring", "all_gather"):
        check_complete(world.run(collective, name, 40_001, True))


@pytest.mark.parametrize("elements", [3, 30_000])
def test_letters_are_traced_but_not_those_to_oneself(world, elements):
    run = world.run(mail, elements)
    check_complete(run)
    kinds = Counter((e.src, e.dst, e.tag) for e in run.trace.events)
    assert kinds == {(src, dst, kind): 1 for src in range(3) for dst in range(3) for kind in ("small", "large")
                     if src != dst}


def test_a_letter_that_nobody_took_is_in_the_ledger_only(world):
    def program(comm):
        if comm.rank == 0:
            comm.post(1, "lost", {})
        comm.barrier()
        return None

    run = world.run(program)
    assert (len(run.trace), run.ledger.messages()) == (0, 1)


def test_all_ranks_are_on_one_clock(world):
    def relay(comm):
        x = torch.zeros(5)
        if comm.rank:
            x = comm.recv(comm.rank - 1, 7)
        had_s = comm.now()
        if comm.rank + 1 < comm.world_size:
            comm.send(x, comm.rank + 1, 7)
        return had_s

    run = world.run(relay)
    first, second = sorted(run.trace.events, key=lambda e: e.src)
    assert (first.src, first.dst, second.src, second.dst, first.tag) == (0, 1, 1, 2, "7")
    assert first.received_s <= second.posted_s, "rank 1 sent on what it had"
    assert first.received_s <= run.results[1] <= second.posted_s, "now() is on that clock, too"
    assert second.received_s <= run.results[2]
    assert run.results == sorted(run.results)


def test_spans_say_when_a_rank_computes_waits_and_sleeps():
    def program(comm):
        if comm.rank == 0:
            began_s = time.monotonic()
            while time.monotonic() - began_s < 0.03:
                pass
            comm.send(torch.ones(2), 1)
        else:
            began_s = time.monotonic()
            comm.recv(0)
            comm.poll(0.01)
            waited_s = time.monotonic() - began_s
            comm.sleep(0.02)
            return waited_s
        return None

    with ProcessWorld(2, trace=True) as world:
        world.run(program)                           # its first run also waits for processes to start
        run = world.run(program)
    spent = Counter()
    for s in run.trace.spans:
        spent[s.rank, s.what] += s.end_s - s.start_s
    assert spent[0, "compute"] >= 0.03
    assert 0.01 <= spent[1, "wait"] <= run.results[1], "for the tensor, and for a letter that never came"
    assert spent[1, "wait"] >= 0.5 * run.results[1]
    assert spent[1, "sleep"] >= 0.02
    assert spent[0, "sleep"] == 0
    for rank in range(2):
        mine = sorted((s.start_s, s.end_s) for s in run.trace.spans if s.rank == rank)
        assert all(one[1] <= two[0] for one, two in zip(mine, mine[1:])), "a rank does one thing at a time"


@pytest.mark.parametrize("kits_own", [False, True])
def test_a_throttled_message_holds_its_port_as_long_as_the_model_says(kits_own):
    link = Link(latency_s=2e-3, overhead_s=1e-3, bandwidth_Bps=1e8)

    def program(comm):
        if comm.rank == 0:
            x = (comm.empty(50_000) if kits_own else torch.empty(50_000)).fill_(1.0)
            for work in [comm.isend(x, 1) for _ in range(2)]:
                work.wait()
        else:
            comm.recv(0), comm.recv(0)

    with ProcessWorld(2, trace=True, link=link) as world:
        run = world.run(program)
    first, second = sorted(run.trace.events, key=lambda e: e.start_s)
    for e in (first, second):
        assert e.end_s - e.start_s == pytest.approx(3e-3)
        assert e.arrive_s - e.end_s >= 2e-3 - 1e-9
    assert second.start_s >= first.end_s - 1e-9, "one after the other through one port"
    assert second.posted_s > first.end_s or second.start_s == pytest.approx(first.end_s), "and without a pause"


def test_without_a_trace_nothing_stands_before_the_endpoint():
    def program(comm):
        return sorted(set(vars(comm._endpoint)) & {"isend", "_post", "post", "poll", "sleep", "arrived", "_finish"})

    with ProcessWorld(1) as plain, ProcessWorld(1, trace=True) as traced:
        assert plain.run(program).results == [[]]
        assert len(traced.run(program).results[0]) == 7
        assert len(traced.run(mail, 3).trace) == 0
        assert len(traced.run(program).results[0]) == 7
        traced.trace = False
        assert traced.run(program).results == [[]], "put aside after a run"
