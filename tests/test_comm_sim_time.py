"""Virtual time against closed forms: rings, trees, queues at a port, links that differ."""

import math

import numpy as np
import pytest
import torch

from pslab.comm import Link, SimWorld

LINKS = [Link(), Link(latency_s=3e-6, overhead_s=2e-6, bandwidth_Bps=1e9), Link(latency_s=0.0, bandwidth_Bps=7e8),
         Link(latency_s=1e-3, overhead_s=1e-4, bandwidth_Bps=1e6)]
ENGINES = ["threads", "greenlets"]


def ring(comm, numbers):
    """Ring all-reduce of `numbers` float32, element j of rank r = j·K + r."""
    size, rank = comm.world_size, comm.rank
    x = np.arange(numbers, dtype=np.float32) * size + rank
    chunks = np.array_split(x, size)
    right, left = (rank + 1) % size, (rank - 1) % size
    for start, op in ((0, "sum"), (1, None)):
        for step in range(size - 1):
            work = comm.isend(chunks[(rank + start - step) % size], right)
            comm.recv(left, out=chunks[(rank + start - step - 1) % size], op=op)
            work.wait()
    return x


def ring_seconds(size, numbers, link):
    """2(K−1)(α + ⌈n/K⌉·b·β) (Patarasuk and Yuan 2009), α = latency + overhead."""
    return 2 * (size - 1) * (link.latency_s + link.overhead_s + math.ceil(numbers / size) * 4 / link.bandwidth_Bps)


@pytest.mark.parametrize("link", LINKS)
@pytest.mark.parametrize("size", [1, 2, 3, 5, 8, 17, 70])
def test_ring_takes_what_the_formula_says(size, link):
    for per_rank in (1, 6):
        numbers = per_rank * size
        for trace in (True, False):
            run = SimWorld(size, link=link, trace=trace).run(ring, numbers)
            assert run.seconds == pytest.approx(ring_seconds(size, numbers, link), rel=1e-9, abs=0)
            for x in run.results:
                np.testing.assert_array_equal(x, np.arange(numbers) * size**2 + size * (size - 1) / 2)
            assert run.ledger.total() == 2 * (size - 1) * numbers * 4
            assert run.ledger.messages() == 2 * (size - 1) * size


@pytest.mark.parametrize("numbers", [7, 3, 1])
def test_ring_of_unequal_chunks_is_bound_by_the_longest(numbers):
    link = LINKS[1]
    run = SimWorld(5, link=link).run(ring, numbers)
    assert run.seconds <= ring_seconds(5, numbers, link) * (1 + 1e-9)
    assert run.ledger.total() == 2 * 4 * numbers * 4


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("size", [2, 4, 8, 16])
def test_binomial_broadcast_is_log2_messages_deep(size, engine):
    """With blocking sends: ⌈log2 K⌉(α + nβ)."""
    link, payload = LINKS[1], 4000

    def program(comm):
        x = torch.arange(1000.0) if comm.rank == 0 else torch.empty(1000)
        reach = 1
        while reach < size:
            if comm.rank < reach:
                comm.send(x, comm.rank + reach)
            elif comm.rank < 2 * reach:
                comm.recv(comm.rank - reach, out=x)
            reach *= 2
        return float(x.sum())

    run = SimWorld(size, link=link, engine=engine).run(program)
    assert run.seconds == pytest.approx(math.log2(size) * (link.port_s(payload) + link.latency_s), rel=1e-9)
    assert run.results == [499500.0] * size


@pytest.mark.parametrize("engine", ENGINES)
def test_when_send_and_receive_return(engine):
    """The send at the end of its port time, the receive one latency later; both counted from the later of the two."""
    link = Link(latency_s=5.0, overhead_s=1.0, bandwidth_Bps=4.0)        # 8 bytes: 1 + 2 seconds of port, 5 of latency

    def program(comm, send_at, receive_at):
        x = torch.zeros(2)
        if comm.rank == 0:
            comm.compute(send_at)
            comm.send(x, 1)
        else:
            comm.compute(receive_at)
            comm.recv(0)
        return comm.now()

    world = SimWorld(2, link=link, engine=engine)
    assert world.run(program, 0.0, 0.0).results == [3.0, 8.0]
    assert world.run(program, 0.0, 10.0).results == [13.0, 18.0]
    late = world.run(program, 10.0, 0.0)
    assert late.results == [13.0, 18.0]
    event, = late.trace.events
    assert event == (0, 1, "tensor", "0", 8, 10.0, 10.0, 13.0, 18.0, 18.0)
    assert [s for s in late.trace.spans if s.what == "wait"] == [(0, "wait", 10.0, 13.0), (1, "wait", 0.0, 18.0)]


def test_an_incoming_port_serves_in_the_order_of_readiness():
    """K−1 senders to one: message i waits for those before it; ranks start in reverse order to tell order from rank."""
    link, size = Link(latency_s=0.5, bandwidth_Bps=4.0), 5

    def program(comm):
        if comm.rank:
            comm.compute((size - comm.rank) * 1e-3)
            comm.send(torch.zeros(3), 0)
            return comm.now()
        works = [comm.irecv(src) for src in range(1, size)]
        for work in works:
            work.wait()
        return comm.now()

    run = SimWorld(size, link=link).run(program)
    port_s = 3.0                                                          # 12 bytes at 4 B/s
    assert run.results[1:] == pytest.approx([1e-3 + (size - rank) * port_s for rank in range(1, size)])
    assert run.seconds == pytest.approx(1e-3 + 4 * port_s + 0.5)


def test_an_outgoing_port_serves_in_the_order_of_readiness():
    link = Link(latency_s=0.5, bandwidth_Bps=4.0)

    def program(comm):
        if comm.rank == 0:
            works = [comm.isend(torch.zeros(dst), dst) for dst in (3, 1, 2)]
            times = []
            for work in works:
                work.wait()
                times.append(comm.now())
            return times
        comm.recv(0)
        return comm.now()

    run = SimWorld(4, link=link).run(program)
    # All receives are posted after all sends, by ranks 1, 2, 3 in turn: that is the order of readiness.
    assert run.results[1:] == pytest.approx([1.5, 3.5, 6.5])
    assert run.results[0] == pytest.approx([6.0, 6.0, 6.0])


def test_ports_are_full_duplex():
    link = Link(latency_s=0.5, bandwidth_Bps=4.0)

    def program(comm):
        work = comm.isend(torch.zeros(4), 1 - comm.rank)
        comm.recv(1 - comm.rank)
        work.wait()
        return comm.now()

    assert SimWorld(2, link=link).run(program).results == [4.5, 4.5]


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("workers", [1, 2, 5])
def test_workers_that_pull_from_one_server_wait_for_its_port(workers, engine):
    """K pulls of n bytes: requests of h bytes queue at the server's incoming port, answers at its outgoing port.

    The first answer starts when the first request is there; from then on the outgoing port is never idle (n ≥ h), so
    the last answer arrives at (h/B + λ) + K·n/B + λ.
    """
    link, numbers = Link(latency_s=1e-3, bandwidth_Bps=1e6), 2500

    def program(comm):
        server = comm.world_size - 1
        if comm.rank == server:
            rows = torch.arange(float(numbers))
            for _ in range(workers):
                mail = comm.poll()
                comm.post(mail.src, "vals", {}, [rows])
            return None
        comm.post(server, "pull", {})
        mail = comm.poll()
        assert mail.tensors[0][-1] == numbers - 1
        return comm.now()

    run = SimWorld(workers + 1, link=link, engine=engine).run(program)
    request = run.ledger.link(0, workers)
    answer = run.ledger.link(workers, 0)
    assert run.ledger.link(workers, 0, "vals") == 4 * numbers
    expected = [(request + (i + 1) * answer) / 1e6 + 2e-3 for i in range(workers)]
    assert run.results[:-1] == pytest.approx(expected, rel=1e-9)
    assert run.ledger.port(workers) == (workers * answer, workers * request)


def test_links_change_a_pair_and_share_the_port():
    """A slow link keeps both ports for its own time, so traffic of a fast link at the same port waits behind it."""
    fast, slow = Link(latency_s=0.0, bandwidth_Bps=8.0), Link(latency_s=3.0, overhead_s=1.0, bandwidth_Bps=2.0)

    def program(comm, first):
        if comm.rank == 0:
            for dst in (first, 3 - first):
                comm.send(torch.zeros(4), dst)                             # 16 bytes: 2 s fast, 1 + 8 s slow
            return comm.now()
        comm.recv(0)
        return comm.now()

    world = SimWorld(3, link=fast, links={(0, 1): slow})
    assert world.run(program, 1).results == [11.0, 12.0, 11.0]
    assert world.run(program, 2).results == [11.0, 14.0, 2.0]
    assert SimWorld(3, link=fast).run(program, 1).results == [4.0, 2.0, 4.0]


def test_control_costs_overhead_and_latency_and_is_counted_nowhere():
    link = Link(latency_s=2.0, overhead_s=1.0, bandwidth_Bps=1.0)

    def program(comm):
        comm.barrier()
        after = comm.now()
        comm.compute(comm.rank)
        comm.barrier()
        return after

    run = SimWorld(5, link=link).run(program)
    assert run.results == [9.0] * 5                                        # ⌈log2 5⌉ rounds of 1 + 2 seconds
    assert run.ledger.total() == run.ledger.messages() == len(run.trace) == 0


def test_split_makes_groups_that_do_not_meet():
    def program(comm):
        group = comm.split(comm.rank % 2, key=-comm.rank)
        other = comm.split(0 if comm.rank < 2 else None)
        x = torch.tensor([float(comm.rank)])
        work = group.isend(x, (group.rank + 1) % group.world_size)
        comm_work = comm.isend(x + 100, (comm.rank + 1) % 6)
        y = group.recv((group.rank - 1) % group.world_size)
        z = comm.recv((comm.rank - 1) % 6)
        work.wait(), comm_work.wait()
        return group.rank, group.world_size, float(y), float(z), other and other.world_size

    assert SimWorld(6).run(program).results == [
        (2, 3, 2.0, 105.0, 2), (2, 3, 3.0, 100.0, 2), (1, 3, 4.0, 101.0, None),
        (1, 3, 5.0, 102.0, None), (0, 3, 0.0, 103.0, None), (0, 3, 1.0, 104.0, None)]


def test_compute_sleep_and_now():
    def program(comm):
        comm.compute(1.5)
        comm.compute(0)                                                    # takes no time and leaves no span
        comm.sleep(0.25)
        return comm.now()

    run = SimWorld(2).run(program)
    assert run.results == [1.75, 1.75]
    assert run.trace.spans == [(0, "compute", 0.0, 1.5), (1, "compute", 0.0, 1.5),
                               (0, "sleep", 1.5, 1.75), (1, "sleep", 1.5, 1.75)]
    assert SimWorld(2, trace=False).run(program).trace.spans == []


def test_mail_to_oneself_is_at_once_and_free():
    def program(comm):
        comm.post(comm.rank, "note", {"a": 1}, [torch.ones(3)])
        mail = comm.poll(0)
        return mail.src, mail.kind, mail.meta, mail.tensors[0].tolist(), comm.now()

    run = SimWorld(2, link=Link(latency_s=1.0)).run(program)
    assert run.results == [(r, "note", {"a": 1}, [1.0, 1.0, 1.0], 0.0) for r in (0, 1)]
    assert run.ledger.total() == 0


def test_poll_looks_once_waits_and_times_out():
    link = Link(latency_s=1.0)

    def program(comm):
        if comm.rank == 1:
            comm.compute(2.0)
            comm.post(0, "late")
            return None
        seen = [comm.poll(0), comm.now(), comm.poll(0.5), comm.now()]
        mail = comm.poll(60.0)
        return [*seen, mail.kind, round(comm.now(), 6), comm.poll(0.25), round(comm.now(), 6)]

    assert SimWorld(2, link=link).run(program).results[0] == [None, 0.0, None, 0.5, "late", 3.0, None, 3.25]


def test_the_end_is_that_of_the_last_rank_and_not_of_late_mail():
    def program(comm):
        if comm.rank == 0:
            comm.post(1, "unread")
            comm.compute(0.5)

    assert SimWorld(2, link=Link(latency_s=9.0)).run(program).seconds == 0.5
