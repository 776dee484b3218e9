"""The meter of a throttled link: when a message may be delivered, and that lateness of the player is made up for.

The clock is the test's own, so that every moment is exact.
"""

import threading
from types import SimpleNamespace

import pytest
import torch

from pslab import cost
from pslab.collectives import all_reduce
from pslab.comm import Link, ProcessWorld, wire
from pslab.comm.process import meter as meters

LINK = Link(latency_s=2.0, overhead_s=1.0, bandwidth_Bps=10.0)          # 20 bytes: 3 s on a port, 5 s in all


@pytest.fixture
def clock(monkeypatch):
    clock = SimpleNamespace(now_s=100.0)
    monkeypatch.setattr(meters, "time", SimpleNamespace(monotonic=lambda: clock.now_s))
    return clock


def meter(link=LINK):
    counts = torch.zeros(2, 2, 4, dtype=torch.int64).numpy()
    flat = torch.zeros(2, 2, dtype=torch.int64).numpy()
    return meters.Meter(0, SimpleNamespace(counts=counts, sent=flat, tensors_out=flat, tensors_in=flat), link)


def header(stamp_s, size=20, flags=0, kind=wire.TENSOR, tag=0):
    return SimpleNamespace(stamp_s=stamp_s, payload_bytes=size, flags=flags, kind=kind, tag=tag)


def test_a_port_begins_when_sent_posted_and_free(clock):
    m = meter()
    assert m.enter(header(100.0)) == 100 + 3 + 2
    assert m.enter(header(101.0)) == 103 + 3 + 2, "one after the other"
    assert m.enter(header(101.0), posted_s=110.0) == 110 + 3 + 2, "not before it is asked for"
    assert m.enter(header(120.0), posted_s=115.0) == 120 + 3 + 2, "nor before it is sent"
    assert m.enter(header(0.0, flags=wire.CONTROL)) == 0, "barriers are not throttled"
    assert m.enter(header(130.0, kind=wire.MAIL, tag=10)) == 130 + 4 + 2, "ten bytes of the letter's own"
    assert meter(None).enter(header(100.0)) == 0


def test_messages_leave_one_after_the_other(clock):
    m = meter()
    assert m.leave(20) == (100, 103)
    assert m.leave(10) == (103, 105)
    clock.now_s = 110.0
    assert m.leave(0) == (110, 111)
    assert meter(None).leave(20) == (110, 0)


def test_who_wakes_up_late_sends_on_as_if_in_time(clock):
    m = meter()
    since_s = m.now_s()
    clock.now_s = 107.0                                  # waited for 105, came back two seconds later
    m.waited(since_s, 105.0)
    assert m.now_s() == 105
    assert m.leave(20) == (105, 108)
    clock.now_s = 109.0                                  # two seconds of the program's own work count
    assert m.now_s() == 107
    m.waited(m.now_s(), 103.0)                           # over before it began
    assert m.now_s() == 107
    since_s, clock.now_s = m.now_s(), 120.0
    m.waited(since_s, 125.0)                             # never ahead of real time
    assert m.now_s() == 120
    m.waited(110.0, 111.0)
    assert m.now_s() == 111
    m.start_anew()
    assert m.now_s() == 120


def test_a_thread_s_lateness_is_its_own(clock):
    m, seen = meter(), []
    m.waited(90.0, 95.0)
    thread = threading.Thread(target=lambda: seen.append(m.now_s()))
    thread.start()
    thread.join()
    assert seen == [100]
    assert m.now_s() == 95


def lateness_and_barriers(comm):
    """Comes back 0.1 s after the moment of delivery, as a rank without a core would; then what its meter says."""
    import time
    endpoint = comm._endpoint
    m, seen, real = endpoint.meter, [], endpoint.hold_until

    def late(moment_s, since_s=0.0):
        time.sleep(max(moment_s - time.monotonic(), 0) + 0.1)
        real(moment_s, since_s)

    for _ in range(2):
        if comm.rank == 0:
            comm.send(torch.zeros(1000), 1)
        else:
            endpoint.hold_until = late
            comm.recv(0)
            del endpoint.hold_until
            seen.append(time.monotonic() - m.now_s())           # what passes between the two makes it less, never more
            comm.isend(torch.zeros(10), 0).wait()
            seen.append(time.monotonic() - m.now_s())
        if comm.rank == 0:
            comm.recv(1)
        comm.barrier()
        seen.append(time.monotonic() - m.now_s())
    return seen


def test_a_rank_that_is_late_sends_on_in_time_until_the_next_barrier():
    with ProcessWorld(2, link=Link(latency_s=1e-3, bandwidth_Bps=1e8)) as world:
        late, after_send, met, again, _, met_again = world.run(lateness_and_barriers).results[1]
    assert late > 0.02
    assert again > 0.02
    assert after_send > 0.02
    assert met < 1e-4
    assert met_again < 1e-4


def timed(comm, elements, algorithm, repeats):
    import time
    x, times = torch.zeros(elements), []
    for _ in range(repeats):
        comm.barrier()
        start_s = time.perf_counter()
        all_reduce(comm, x, algorithm=algorithm)
        times.append(time.perf_counter() - start_s)
    return times


@pytest.mark.serial
@pytest.mark.parametrize("K", [2, 3])
@pytest.mark.parametrize("algorithm", ["ring", "recursive_doubling"])
@pytest.mark.parametrize("size", [1 << 20, 4 << 20, pytest.param(64 << 20, marks=pytest.mark.long)])
def test_measured_time_is_the_predicted_one(K, algorithm, size):
    """At 1 Gbit/s. 15 % is promised for a machine with nothing else to do; here as much again is allowed, and 3 ms.

    With K = 3 rank 0 is sent to by both others at once, and asks for one after the other: the port must not take first
    what is asked for last.
    """
    link = Link(latency_s=50e-6, bandwidth_Bps=125e6)
    expected_s = cost.all_reduce_s(algorithm, size // 4, K, cost.AlphaBeta(link.latency_s, link.bandwidth_Bps, 0.0))
    with ProcessWorld(K, link=link) as world:
        ranks = world.run(timed, size // 4, algorithm, 5 if size < 64 << 20 else 3).results
    fastest_s = min(max(each) for each in zip(*ranks))
    assert expected_s * 0.98 <= fastest_s <= expected_s * 1.3 + 3e-3
