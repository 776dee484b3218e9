"""Racks with a shared uplink: virtual times to the last bit, bytes over each uplink, order of service, bad input."""

import re

import numpy as np
import pytest
import torch

from pslab.comm import Faults, Link, Racks, SimWorld

ENGINES = ("threads", "greenlets")
PORT = Link(latency_s=1.0, overhead_s=0.5, bandwidth_Bps=16.0)            # 32 bytes: s = 2.5 s
SLOW = Link(latency_s=0.25, overhead_s=1.0, bandwidth_Bps=8.0)            # 32 bytes: u = 5 s
FAST = Link(latency_s=0.25, overhead_s=0.0, bandwidth_Bps=64.0)           # 32 bytes: u = 0.5 s
PAIRS = [[0, 1], [2, 3]]


def one(comm, src, dst, numbers=8):
    if comm.rank == src:
        comm.send(torch.zeros(numbers), dst)
    elif comm.rank == dst:
        comm.recv(src)
    return comm.now()


def all_at_once(comm, pairs):
    """Every sender of `pairs` sends 32 bytes at time 0; when each receiver has them, and when each sender is done."""
    for src, dst in pairs:
        if comm.rank == src:
            comm.send(torch.zeros(8), dst)
        elif comm.rank == dst:
            comm.recv(src)
    return comm.now()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("uplink", "busy_s"), [(SLOW, 5.0), (FAST, 2.5)])
def test_one_message_takes_the_time_of_its_narrowest_line(uplink, busy_s, engine):
    world = SimWorld(4, link=PORT, racks=Racks(PAIRS, uplink), engine=engine)
    inside = world.run(one, 0, 1)
    assert inside.results == [2.5, 3.5, 0.0, 0.0]                          # s, s + L
    assert [inside.ledger.uplink(rack) for rack in (0, 1)] == [(0, 0), (0, 0)]
    across = world.run(one, 1, 2)
    assert across.results == [0.0, busy_s, busy_s + 1.0 + 2 * 0.25, 0.0]   # max(s, u), … + L + 2·L_up
    assert [across.ledger.uplink(rack) for rack in (0, 1)] == [(32, 0), (0, 32)]
    event, = across.trace.events
    assert event == (1, 2, "tensor", "0", 32, 0.0, 0.0, busy_s, busy_s + 1.5, busy_s + 1.5)


@pytest.mark.parametrize("engine", ENGINES)
def test_messages_share_an_uplink_one_after_the_other(engine):
    """m = 3 ranks of a rack to 3 of the other: m·u where the uplink is slow, (m−1)·u + s where it is fast."""
    racks, pairs = [[0, 1, 2], [3, 4, 5]], [(0, 3), (1, 4), (2, 5)]
    slow = SimWorld(6, link=PORT, racks=Racks(racks, SLOW), engine=engine).run(all_at_once, pairs)
    assert slow.results == [5.0, 10.0, 15.0, 6.5, 11.5, 16.5]
    fast = SimWorld(6, link=PORT, racks=Racks(racks, FAST), engine=engine).run(all_at_once, pairs)
    assert fast.results == [2.5, 3.0, 3.5, 4.0, 4.5, 5.0]
    assert SimWorld(6, link=PORT, engine=engine).run(all_at_once, pairs).results == [2.5] * 3 + [3.5] * 3
    assert slow.ledger.uplink(0) == fast.ledger.uplink(0) == (96, 0)


def test_an_uplink_is_full_duplex_and_each_rack_has_its_own():
    both_ways = SimWorld(4, link=PORT, racks=Racks(2, SLOW)).run(all_at_once, [(0, 2), (3, 1)])
    assert both_ways.results == [5.0, 6.5, 6.5, 5.0]
    out_of_one = SimWorld(4, link=PORT, racks=Racks([[0, 1], [2], [3]], SLOW)).run(all_at_once, [(0, 2), (1, 3)])
    assert out_of_one.results == [5.0, 10.0, 6.5, 11.5]                    # two uplinks in, but one uplink out

    def into_one(comm):
        works = [comm.irecv(src) for src in (1, 2)] if comm.rank == 0 else [comm.isend(torch.zeros(8), 0)]
        for work in works:
            work.wait()
        return comm.now()

    into_one = SimWorld(3, link=PORT, racks=Racks(1, SLOW)).run(into_one)
    assert into_one.results == [11.5, 5.0, 10.0]                           # two uplinks out, but one uplink in
    assert [into_one.ledger.uplink(rack) for rack in range(3)] == [(0, 64), (32, 0), (32, 0)]


def test_a_port_is_free_again_before_a_slow_uplink_is():
    """0 sends across (uplink busy for 5 s) and then inside: its port was busy for 2.5 s only."""
    def program(comm):
        if comm.rank == 0:
            works = [comm.isend(torch.zeros(8), dst) for dst in (2, 1)]
            return [work.wait() or comm.now() for work in works]
        comm.compute(1e-3 * (comm.rank == 1))                              # the message inside is ready last
        if comm.rank < 3:
            comm.recv(0)
        return comm.now()

    run = SimWorld(4, link=PORT, racks=Racks(PAIRS, SLOW)).run(program)
    assert sorted((event.start_s, event.end_s, event.dst) for event in run.trace.events) == [
        (0.0, 5.0, 2), (2.5, 5.0, 1)]


def test_a_message_that_waits_for_the_uplink_holds_up_its_sender():
    """The promise: 1's message across is due when 0's has left the uplink; what 1 sends inside comes after it."""
    def program(comm):
        if comm.rank == 0:
            comm.send(torch.zeros(8), 3)
        elif comm.rank == 1:
            works = [comm.isend(torch.zeros(8), 4), comm.isend(torch.zeros(8), 2)]
            [work.wait() for work in works]
        else:
            comm.compute(1e-3 * (comm.rank == 2))                          # the message inside is ready last
            comm.recv({3: 0, 4: 1, 2: 1}[comm.rank])
        return comm.now()

    run = SimWorld(5, link=PORT, racks=Racks([[0, 1, 2], [3, 4]], SLOW)).run(program)
    assert run.results == [5.0, 10.0, 5.0 + 2.5 + 2.5 + 1.0, 6.5, 11.5]


def test_mail_and_barriers_take_the_uplink_too():
    def mail(comm):
        if comm.rank < 2:
            comm.post(comm.rank + 2, "note", {}, [torch.zeros(8)])
            return None
        comm.poll()
        return comm.now()

    run = SimWorld(4, link=PORT, racks=Racks(PAIRS, SLOW)).run(mail)
    letter = run.ledger.link(0, 2)
    assert letter > 32
    assert run.ledger.uplink(0) == (2 * letter, 0)
    assert run.ledger.uplink(0, "vals") == (64, 0)
    assert run.ledger.uplink(1, "header") == (0, 2 * letter - 64)
    assert run.results[2:] == [i * (1.0 + letter / 8) + 1.5 for i in (1, 2)]
    barrier = SimWorld(4, link=PORT, racks=Racks(PAIRS, SLOW)).run(lambda comm: comm.barrier() or comm.now())
    plain = SimWorld(4, link=PORT).run(lambda comm: comm.barrier() or comm.now())
    assert plain.results == [3.0] * 4                                      # two rounds of 0.5 + 1
    # Round 1: 1 to 2 and 3 to 0 cross, until 1 + 1.5; the others are there at 1.5. Round 2: all cross, as they come.
    assert barrier.results == [2.5 + 2.5, 1.5 + 2.5] * 2
    assert barrier.ledger.uplink(0) == (0, 0)


def test_links_of_pairs_keep_their_ports():
    """links= is about the two ports and the latency of the pair; the uplink comes on top."""
    slow_pair = Link(latency_s=3.0, overhead_s=0.0, bandwidth_Bps=4.0)     # 32 bytes: 8 s
    world = SimWorld(4, link=PORT, links={(0, 2): slow_pair}, racks=Racks(PAIRS, SLOW))
    assert world.run(one, 0, 2).results[2] == 8.0 + 3.0 + 0.5
    assert world.run(one, 1, 2).results[2] == 6.5


def traffic(comm):
    """Tensors of many sizes, NumPy and torch, inside and across, mail, time-outs, a subgroup."""
    size, rank = comm.world_size, comm.rank
    log, out = [], np.zeros(20, np.float32)
    for step in range(6):
        for distance in (1, 2, 3):
            right, left = (rank + distance) % size, (rank - distance) % size
            for _ in range(2):                                             # the second time the short way is open
                work = comm.isend(np.arange(20, dtype=np.float32) + rank * step, right)
                comm.recv(left, out=out, op="sum" if step % 2 else None)
                work.wait()
                log.append((comm.now(), float(out.sum())))
        comm.compute(1e-7 * rank)
        comm.post((rank + step) % size, "hello", {"step": step}, [torch.zeros(rank)])
        mail = comm.poll(2e-6)
        log.append((mail.src, mail.meta["step"]) if mail else comm.now())
    while (mail := comm.poll(1e-4)) is not None:
        log.append(mail.src)
    group = comm.split(rank % 2, key=-rank)
    group.barrier()
    return log, comm.now()


@pytest.mark.parametrize("faults", [None, Faults(seed=4, drop=0.1, delay_s=1e-6)])
@pytest.mark.parametrize("racks", [None, Racks(2), Racks([[0, 3], [1, 4], [2, 5]], Link(1e-6, 1e-6, 1e7))])
def test_engines_trace_and_the_short_way_make_no_difference(racks, faults, monkeypatch):
    from pslab.comm.sim import endpoint

    link = Link(latency_s=3e-6, overhead_s=1e-6, bandwidth_Bps=1e8)
    runs = [SimWorld(6, link=link, racks=racks, faults=faults, engine=engine, trace=trace).run(traffic)
            for engine in ENGINES for trace in (True, False)]
    init = endpoint.Fabric.__init__

    def plain(self, *args, init=init):
        init(self, *args)
        self.short_way = False

    monkeypatch.setattr(endpoint.Fabric, "__init__", plain)
    runs.append(SimWorld(6, link=link, racks=racks, faults=faults, trace=False).run(traffic))
    assert runs[0].trace.to_bytes() == runs[2].trace.to_bytes()
    assert len(runs[0].trace) > 200
    for run in runs[1:]:
        assert run.results == runs[0].results
        assert run.seconds == runs[0].seconds
        assert (run.ledger.counts == runs[0].ledger.counts).all()


def test_orders_by_rack_and_alternating():
    racks = Racks([[5, 0], [1, 4, 6], [2, 3]])
    assert racks.rack_by_rack(7) == [5, 0, 1, 4, 6, 2, 3]
    assert racks.alternating(7) == [5, 1, 2, 0, 4, 3, 6]
    assert Racks(3).rack_by_rack(7) == list(range(7))
    assert Racks(3).alternating(7) == [0, 3, 6, 1, 4, 2, 5]
    assert Racks(3).of(7) == [[0, 1, 2], [3, 4, 5], [6]]


def test_split_by_key_numbers_a_group_in_such_an_order():
    racks = Racks(2, SLOW)

    def program(comm, order):
        ring = comm.split(0, key=order.index(comm.rank))
        work = ring.isend(torch.zeros(8), (ring.rank + 1) % ring.world_size)
        ring.recv((ring.rank - 1) % ring.world_size)
        work.wait()
        return ring.members

    world = SimWorld(6, link=PORT, racks=racks)
    for order, messages in ((racks.rack_by_rack(6), 1), (racks.alternating(6), 2)):
        run = world.run(program, order)
        assert run.results == [tuple(order)] * 6
        assert [run.ledger.uplink(rack) for rack in range(3)] == [(32 * messages, 32 * messages)] * 3


@pytest.mark.parametrize(("make", "message"), [
    (lambda: Racks([[0, 1], [1, 2]]), "rank 1 is in racks[0] and in racks[1]; one is needed"),
    (lambda: Racks([[0, 1, 0]]), "rank 0 is in racks[0] and in racks[0]; one is needed"),
    (lambda: Racks([[0, 1], []]), "racks[1] is empty; each rack needs a rank"),
    (lambda: Racks([]), "racks=[]; the size of a rack, or a list of lists of ranks is needed"),
    (lambda: Racks([0, 1]), "racks=[0, 1]; the size of a rack, or a list of lists"),
    (lambda: Racks("01"), "racks='01'; the size of a rack, or a list of lists"),
    (lambda: Racks(None), "racks=None; the size of a rack"), (lambda: Racks(2.0), "racks=2.0; the size of a rack"),
    (lambda: Racks(True), "racks=True; the size of a rack"),
    (lambda: Racks(0), "racks=0; the size of a rack, 1 or more"), (lambda: Racks(-2), "racks=-2; the size of a rack"),
    (lambda: Racks([[0, -1]]), "racks[0] names rank -1; whole numbers from 0"),
    (lambda: Racks([["a"]]), "racks[0] names rank 'a'"), (lambda: Racks([[0.0]]), "racks[0] names rank 0.0"),
    (lambda: Racks(2, 1e9), "uplink=1000000000.0; a Link is needed"),
    (lambda: SimWorld(4, racks=[[0, 1], [2, 3]]), "racks=[[0, 1], [2, 3]]; a Racks is needed, as Racks("),
    (lambda: SimWorld(4, racks=Racks([[0, 1], [3]])), "misses rank 2; this world has ranks 0..3"),
    (lambda: SimWorld(2, racks=Racks([[0, 1], [2]])), "names rank 2; this world has ranks 0..1"),
    (lambda: Racks([[0], [1]]).alternating(3), "misses rank 2; this world has ranks 0..2")])
def test_bad_racks(make, message):
    with pytest.raises(ValueError, match=re.escape(message)):
        make()


def test_bad_questions_about_an_uplink():
    run = SimWorld(4, racks=Racks(2)).run(one, 0, 3)
    with pytest.raises(ValueError, match=re.escape("rack=2; this run had racks 0..1")):
        run.ledger.uplink(2)
    with pytest.raises(ValueError, match=re.escape("rack=-1")):
        run.ledger.uplink(-1)
    with pytest.raises(ValueError, match=re.escape("kind='bytes'; allowed")):
        run.ledger.uplink(0, "bytes")
    with pytest.raises(ValueError, match=re.escape("uplink(0): this run had no racks; SimWorld(..., racks=Racks(")):
        SimWorld(2).run(one, 0, 1).ledger.uplink(0)
