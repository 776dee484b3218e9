"""ProcessWorld: what a run gives back, how it fails, and that it heals."""

import inspect
import os
import random
import re
import select
import signal
import subprocess
import sys
import textwrap
import threading
import time

import cloudpickle
import numpy as np
import psutil
import pytest
import torch
from chaos_program import chaos

from pslab.comm import CommError, Deadlock, Link, ProcessWorld, RankDied, RankError, SimWorld, Stalled
from pslab.comm.process import pool


@pytest.fixture(scope="module")
def world():
    with ProcessWorld(3) as made:
        yield made


@pytest.fixture(scope="module")
def pair():
    with ProcessWorld(2) as made:
        yield made


def ranks_and_pids(comm):
    return comm.rank, comm.world_size, os.getpid()


def neighbours(comm, base):
    x = torch.arange(base, base + 5, dtype=torch.float32) * comm.world_size + comm.rank
    work = comm.isend(x, (comm.rank + 1) % comm.world_size)
    y = comm.recv((comm.rank - 1) % comm.world_size)
    work.wait()
    return y


def looks(comm, numbers, cores):
    """How long rank 0 is ready to sleep when it first looks for a tensor, in ms."""
    from pslab.comm.process import endpoint as module

    mine, asked, before = comm._endpoint, [], module.CORES
    progress = mine.progress
    module.CORES, mine.progress = cores, lambda timeout_ms: asked.append(timeout_ms) or progress(timeout_ms)
    try:
        if comm.rank == 0:
            comm.recv(1, out=torch.empty(numbers))
        else:
            comm.send(torch.zeros(numbers), 0)
    finally:
        module.CORES = before
        del mine.progress
    return asked[0]


# ---- what a run gives back ------------------------------------------------------------------------------------------

def test_real_processes_stay_warm_between_runs(world):
    first, second = world.run(ranks_and_pids).results, world.run(ranks_and_pids).results
    assert [(rank, size) for rank, size, _ in first] == [(0, 3), (1, 3), (2, 3)]
    assert len({pid for _, _, pid in first} | {os.getpid()}) == 4
    assert first == second


def test_a_short_tensor_is_looked_for_without_sleeping_where_every_rank_has_a_core(pair):
    assert pair.run(looks, 8192, 2).results[0] == 0
    assert pair.run(looks, 8192, 1).results[0] > 0           # the sender may need this core
    assert pair.run(looks, 8193, 2).results[0] > 0           # in pieces: waking up is short beside the copying


def test_per_rank_arguments_and_results_of_every_kind(world):
    def program(comm, value):
        return value, {"rank": comm.rank, 7: None}, [True, 1.5, b"x", "y"], torch.full((2, 1), comm.rank), np.arange(3)
    values = [{"a": torch.arange(3)}, (1, (2, [3])), -2**63]
    run = world.run(program, per_rank=[(value,) for value in values])
    assert run.results[1][0] == values[1]
    assert run.results[2][0] == values[2]
    assert torch.equal(run.results[0][0]["a"], values[0]["a"])
    for rank, (_, table, row, tensor, array) in enumerate(run.results):
        assert table == {"rank": rank, 7: None}
        assert row == [True, 1.5, b"x", "y"]
        assert torch.equal(tensor, torch.full((2, 1), rank))
        assert isinstance(array, np.ndarray)
        assert array.tolist() == [0, 1, 2]


def test_arguments_are_copied_to_each_rank(pair):
    shared = torch.zeros(4)

    def program(comm, x):
        x += comm.rank + 1
        return x
    results = pair.run(program, shared).results
    assert [x.tolist() for x in results] == [[1.0] * 4, [2.0] * 4]
    assert shared.tolist() == [0.0] * 4


def test_prints_come_sorted_by_rank(world, capfd):
    def program(comm):
        for step in range(3):
            print(f"rank {comm.rank} step {step}")
            comm.barrier()
        os.write(1, b"raw\n")
    run = world.run(program)
    expected = [f"rank {r} step 0\nrank {r} step 1\nrank {r} step 2\nraw\n" for r in range(3)]
    assert run.prints == expected
    assert capfd.readouterr().out == "".join(expected)


def test_live_prints_come_while_the_run_goes_on(pair, tmp_path):
    seen = []

    def program(comm):
        print(f"early {comm.rank}", flush=True)
        comm.barrier()
        comm.report("printed")
        if comm.rank == 0:
            comm.poll()            # until the caller has seen the lines, which is when rank 1 is told to go on
        elif comm.rank == 1:
            deadline = time.monotonic() + 20
            while not os.path.exists(flag) and time.monotonic() < deadline:
                comm.poll(0.01)
            comm.post(0, "go")

    class Watching:
        def write(self, text):
            seen.append(text)
            if "early 1" in text:
                open(flag, "w").close()
            return len(text)

        def flush(self):
            return None
    flag = str(tmp_path / "seen")
    before, sys.stdout = sys.stdout, Watching()
    try:
        pair.run(program, live=True)
    finally:
        sys.stdout = before
    text = "".join(seen)
    assert text.index("[rank 0] early 0") >= 0
    assert text.count("early 0") == text.count("early 1") == 1


def test_reports_reach_the_caller_during_the_run(pair):
    def program(comm):
        for step in range(3):
            comm.report({"step": step})
    heard = []
    pair.run(program, on_report=lambda rank, value: heard.append((rank, value["step"])))
    assert sorted(heard) == [(r, s) for r in range(2) for s in range(3)]
    assert [step for rank, step in heard if rank == 0] == [0, 1, 2]


def test_a_function_of_a_notebook_cell_runs(world):
    module = type(sys)("__main__")
    source = "OFFSET = 10\ndef helper(x):\n    return x + OFFSET\ndef cell(comm):\n    return helper(comm.rank)"
    exec(compile(source, "<ipython-input-1>", "exec"), module.__dict__)
    assert world.run(module.cell).results == [10, 11, 12]


def test_ranks_have_the_callers_folder_path_and_environment(pair, tmp_path, monkeypatch):
    (tmp_path / "late_module.py").write_text("VALUE = 41\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("PSLAB_TEST_WORD", "hello")

    def program(comm):
        import late_module
        return late_module.VALUE, os.getcwd(), os.environ["PSLAB_TEST_WORD"], torch.get_num_threads()
    assert pair.run(program).results == [(41, str(tmp_path), "hello", 1)] * 2


def test_restart_takes_in_an_edited_module(tmp_path, monkeypatch):
    module = tmp_path / "edited_module.py"
    module.write_text("VALUE = 1\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(sys, "dont_write_bytecode", True)

    def program(comm):
        import edited_module
        return edited_module.VALUE
    with ProcessWorld(1) as one:
        assert one.run(program).results == [1]
        module.write_text("VALUE = 2222\n")
        assert one.run(program).results == [1]
        one.restart()
        assert one.run(program).results == [2222]


def test_seed_fixes_every_generator(pair):
    def program(comm):
        return torch.rand(2, generator=comm.rng), torch.rand(2), np.random.rand(2), random.random()
    first, again = pair.run(program).results, pair.run(program).results
    with ProcessWorld(2, seed=1) as other:
        third = other.run(program).results
    for i in range(4):
        same = [np.array_equal(np.asarray(a[i]), np.asarray(b[i])) for a, b in zip(first, again)]
        assert same == [True, True]
        assert not np.array_equal(np.asarray(first[0][i]), np.asarray(first[1][i]))
        assert not np.array_equal(np.asarray(first[0][i]), np.asarray(third[0][i]))


def test_ledger_equals_the_simulators(world):
    def program(comm, base):
        neighbours(comm, base)
        if comm.rank:
            comm.post(0, "push", {"table": "t"}, [torch.arange(4), torch.ones(4, 2)])
        else:
            for _ in range(comm.world_size - 1):
                comm.poll()
        comm.barrier()
    real, virtual = world.run(program, 3).ledger, SimWorld(3).run(program, 3).ledger
    np.testing.assert_array_equal(real.counts, virtual.counts)
    np.testing.assert_array_equal(real.sent, virtual.sent)
    assert real.link(1, 0, "keys") == 32
    assert real.link(1, 0, "vals") == 32
    assert real.link(0, 1) == 20
    assert real.port(0, "vals") == (20, 20 + 2 * 32)


def test_trace_records_messages_when_asked():
    with ProcessWorld(2, trace=True) as traced:
        run = traced.run(neighbours, 0)
    assert sorted((e.src, e.dst, e.plane, e.payload_bytes) for e in run.trace.events) == [
        (0, 1, "tensor", 20), (1, 0, "tensor", 20)]
    assert all(e.posted_s <= e.arrive_s <= e.received_s <= run.seconds + 1 for e in run.trace.events)
    with ProcessWorld(2) as quiet:
        assert len(quiet.run(neighbours, 0).trace) == 0


def test_pinned_ranks_stay_on_their_core(world):
    def program(comm):
        return sorted(os.sched_getaffinity(0))
    cores = world.run(program).results[0]
    with ProcessWorld(3, pin=True) as pinned:
        assert pinned.run(program).results == [[cores[rank % len(cores)]] for rank in range(3)]


def test_throttled_ports_take_at_least_the_modelled_time():
    link = Link(latency_s=1e-3, overhead_s=2e-3, bandwidth_Bps=50e6)
    one_s = link.port_s(1_000_000)

    def incast(comm):
        x = torch.ones(250_000)
        comm.barrier()
        start_s = time.monotonic()
        if comm.rank == 0:
            for src in (1, 2):
                comm.recv(src)
        else:
            comm.isend(x, 0).wait()
        return start_s, time.monotonic()
    with ProcessWorld(3, link=link) as slow:
        (_, got_s), *senders = slow.run(incast).results
    first_s = min(start_s for start_s, _ in senders)
    assert got_s - first_s >= 2 * one_s + link.latency_s      # rank 0's incoming port takes one after the other
    assert all(end_s - start_s >= one_s for start_s, end_s in senders)      # a sender's own port is held once


# ---- how a run fails ------------------------------------------------------------------------------------------------

class Odd(Exception):
    pass


def raise_in_rank_1(comm, kind):
    if comm.rank == 1:
        raise {"value": ValueError("bad x"), "file": FileNotFoundError(2, "No such file", "x.txt"),
               "key": KeyError("k"), "odd": Odd("mine"), "comm": CommError("c")}[kind]
    comm.recv(1)


@pytest.mark.parametrize(("kind", "raised", "text"), [
    ("value", ValueError, "bad x"), ("key", KeyError, "'k'"), ("odd", RankError, "rank 1 raised Odd: mine"),
    ("file", FileNotFoundError, "[Errno 2] No such file: 'x.txt'"), ("comm", CommError, "c")])
def test_a_ranks_exception_is_raised_with_its_traceback(pair, kind, raised, text):
    with pytest.raises(raised) as caught:
        pair.run(raise_in_rank_1, kind)
    assert type(caught.value) is raised
    assert str(caught.value) == text
    note = "".join(caught.value.__notes__)
    assert "raised by rank 1" in note
    assert "in raise_in_rank_1" in note
    assert pair.run(ranks_and_pids).results[0][:2] == (0, 2)


def test_a_killed_rank_is_named_within_a_second(pair):
    def program(comm):
        if comm.rank == 0:
            comm.send(torch.ones(5), 1)
            comm.recv(1)
        comm.recv(0)
        comm.report(time.monotonic())
        os.kill(os.getpid(), signal.SIGKILL)
    moments = []
    with pytest.raises(RankDied, match="rank 1 was killed by signal 9") as caught:
        pair.run(program, on_report=lambda rank, at_s: moments.append(at_s))
    assert time.monotonic() - moments[0] < 1.0
    assert (caught.value.rank, caught.value.signal, caught.value.exitcode) == (1, 9, None)
    assert caught.value.ledger.link(0, 1) == 20              # the ledger outlives the rank
    assert pair.run(neighbours, 0).results[0].tolist() == [1, 3, 5, 7, 9]


@pytest.mark.parametrize("leave", ["os._exit(3)", "sys.exit(3)"])
def test_a_rank_that_leaves_is_named(pair, leave):
    def program(comm):
        import os  # noqa: F401
        import sys  # noqa: F401
        if comm.rank == 1:
            exec(leave)
        comm.recv(1)
    with pytest.raises(RankDied, match="rank 1 left with exit code 3 before its program ended$"):
        pair.run(program)


def test_prints_of_a_killed_rank_are_shown(pair, capsys):
    def program(comm):
        print("last words of", comm.rank)
        if comm.rank == 1:
            comm.recv(0)
            os.kill(os.getpid(), signal.SIGKILL)
        comm.send(torch.ones(1), 1)
        comm.recv(1)
    with pytest.raises(RankDied):
        pair.run(program)
    assert capsys.readouterr().out == "last words of 0\nlast words of 1\n"


def test_an_interrupt_stops_the_run_and_leaves_the_pool_usable(pair):
    def program(comm):
        comm.report("started")
        comm.poll()
    pids = [pid for *_, pid in pair.run(ranks_and_pids).results]
    with pytest.raises(KeyboardInterrupt) as caught:
        pair.run(program, on_report=lambda *_: os.kill(os.getpid(), signal.SIGINT))
    assert "when the run was interrupted" in caught.value.__notes__[0]
    assert len(caught.value.__notes__[0].splitlines()) == 4                   # headline, head, a row for each rank
    assert not any(alive(pid) for pid in pids)
    assert pair.run(neighbours, 0).results[1].tolist() == [0, 2, 4, 6, 8]


def test_a_result_that_cannot_travel_is_refused(pair):
    with pytest.raises(ValueError, match="of rank . .a object. cannot be handed back.*of type object.*allowed are"):
        pair.run(lambda comm: object())


# ---- stalls, in both worlds -----------------------------------------------------------------------------------------

def forgotten_send(comm):
    if comm.rank == 0:
        comm.recv(1, tag=4)


def forgotten_receive(comm):
    if comm.rank == 0:
        comm.send(torch.ones(3), 1)


def swapped_order(comm):
    comm.send(torch.ones(3), 1 - comm.rank)
    comm.recv(1 - comm.rank)


def wrong_tag(comm):
    if comm.rank == 0:
        comm.send(torch.ones(3), 1, tag=7)
    else:
        comm.recv(0, tag=3)


def forgotten_receive_of_isend(comm):
    if comm.rank == 0:
        comm.isend(torch.ones(3), 1)


def server_that_waits_for_ever(comm):
    if comm.rank == 0:
        comm.recv(1)
    comm.poll()


@pytest.mark.parametrize("kind", ["processes", "simulator"])
@pytest.mark.parametrize(("program", "waiting"), [
    (forgotten_send, {0: ("recv(src=1, tag=4)", 1)}),
    (forgotten_receive, {0: ("send(dst=1, tag=0)", 1)}),
    (swapped_order, {0: ("send(dst=1, tag=0)", 1), 1: ("send(dst=0, tag=0)", 0)}),
    (wrong_tag, {0: ("send(dst=1, tag=7)", 1), 1: ("recv(src=0, tag=3)", 0)}),
    (server_that_waits_for_ever, {0: ("recv(src=1, tag=0)", 1), 1: ("poll()", None)}),
])
def test_stalls_are_a_table(pair, kind, program, waiting):
    run = pair.run if kind == "processes" else SimWorld(2).run
    with pytest.raises(Stalled) as caught:
        run(program, timeout_s=0.4)
    assert isinstance(caught.value, Deadlock) == (kind == "simulator")
    rows = {wait.rank: wait for wait in caught.value.waits if wait.call != "finished"}
    assert {rank: (wait.call, wait.peer) for rank, wait in rows.items()} == waiting
    for wait in rows.values():
        assert f"test_comm_process_world.py:{line_of(program, wait.call)} in {program.__name__}" == wait.where
    if kind == "processes":
        assert all(wait.waited_s >= 0.3 for wait in rows.values())
        assert "nothing has moved for 0.4 s" in str(caught.value)
    if program is wrong_tag:
        assert "tag 7" in str(caught.value)


@pytest.mark.parametrize("kind", ["processes", "simulator"])
def test_a_message_left_behind_is_not_a_success(pair, kind):
    run = pair.run if kind == "processes" else SimWorld(2).run
    with pytest.raises(Stalled, match="rank 0 to rank 1"):
        run(forgotten_receive_of_isend, timeout_s=0.4)


def test_polling_in_vain_is_no_progress(pair):
    def program(comm):
        if comm.rank == 0:
            comm.recv(1)
        while True:
            comm.poll(0.01)
    with pytest.raises(Stalled, match="recv"):
        pair.run(program, timeout_s=0.4)


def test_an_idle_server_is_no_stall_while_a_worker_works(pair):
    def program(comm):
        if comm.rank == 1:
            return comm.poll().kind
        until_s = time.monotonic() + 0.8
        while time.monotonic() < until_s:
            continue
        comm.post(1, "bye")
    assert pair.run(program, timeout_s=0.2).results == [None, "bye"]


def test_computing_after_a_poll_in_vain_is_no_stall(pair):
    def program(comm):
        if comm.rank == 1:
            return comm.recv(0).item()
        comm.poll(0.001)
        until_s = time.monotonic() + 1.2
        while time.monotonic() < until_s:
            continue
        comm.send(torch.tensor([5.0]), 1)
    assert pair.run(program, timeout_s=0.5).results == [None, 5.0]


def test_a_launcher_that_is_killed_is_replaced():
    def program(comm):
        comm.report("started")
        comm.poll()
    with ProcessWorld(2) as two:
        pids = [pid for *_, pid in two.run(ranks_and_pids).results]
        handles = [os.pidfd_open(pid) for pid in pids]
        with pytest.raises(CommError, match="launcher of ranks"):
            two.run(program, on_report=lambda *_: os.kill(pool.current().process.pid, signal.SIGKILL))
        for handle in handles:                                # the ranks go with it
            poller = select.poll()
            poller.register(handle, select.POLLIN)
            assert poller.poll(5000)
            os.close(handle)
        assert [result[:2] for result in two.run(ranks_and_pids).results] == [(0, 2), (1, 2)]


def test_a_launcher_that_hung_up_is_not_alive_though_its_exit_is_not_known_yet(monkeypatch):
    with ProcessWorld(1) as one:
        one.run(ranks_and_pids)
        launcher = pool.current()
        assert launcher.alive()
        os.kill(launcher.process.pid, signal.SIGKILL)
        launcher.process.wait(10)
        monkeypatch.setattr(launcher.process, "poll", lambda: None)
        assert not launcher.alive()
        assert [result[:2] for result in one.run(ranks_and_pids).results] == [(0, 1)]


def test_a_world_outlives_the_launcher_that_was_shut_down():
    with ProcessWorld(2) as two:
        two.run(ranks_and_pids)
        pool.shut_down()
        assert [result[:2] for result in two.run(ranks_and_pids).results] == [(0, 2), (1, 2)]


def test_what_a_rank_started_goes_with_it(pair):
    def program(comm):
        import subprocess
        import sys
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
        comm.report(child.pid)
        comm.poll()
    handles = []

    def heard(rank, pid):
        handles.append(os.pidfd_open(pid))
        if len(handles) == 2:
            os.kill(os.getpid(), signal.SIGINT)
    with pytest.raises(KeyboardInterrupt):
        pair.run(program, on_report=heard)
    assert len(handles) == 2
    for handle in handles:
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        assert poller.poll(5000)
        os.close(handle)


def test_stderr_of_ranks_is_shown(pair, capfd):
    def program(comm):
        import sys
        print("warning of", comm.rank, file=sys.stderr)
    pair.run(program)
    assert capfd.readouterr().err == "warning of 0\nwarning of 1\n"


def test_the_transport_is_what_was_asked_for():
    def program(comm):
        import socket
        families = {channel.sock.family for channel in comm._endpoint.channels if channel is not None}
        return comm._endpoint.heap is not None, families == {socket.AF_INET}
    for transport, expected in (("auto", (sys.platform == "linux", sys.platform != "linux")), ("shm", (True, False)),
                                ("tcp", (False, True))):
        with ProcessWorld(2, transport=transport) as world:
            assert world.run(program).results == [expected] * 2, transport


def test_throttled_ports_also_hold_a_senders_second_message_and_mail():
    link = Link(latency_s=1e-3, overhead_s=0.0, bandwidth_Bps=20e6)
    one_s = link.port_s(400_000)

    def program(comm):
        x = torch.ones(100_000)
        comm.barrier()
        start_s = time.monotonic()
        if comm.rank == 0:
            works = [comm.isend(x, 1), comm.isend(x, 2)]             # two receivers, one outgoing port
            for work in works:
                work.wait()
            comm.post(1, "rows", {}, [x])
        else:
            comm.recv(0)
            if comm.rank == 1:
                comm.poll()
        return start_s, time.monotonic()
    with ProcessWorld(3, link=link) as slow:
        (start_s, sent_s), (_, mail_s), (_, second_s) = slow.run(program).results
    assert sent_s - start_s >= 2 * one_s
    assert second_s - start_s >= 2 * one_s + link.latency_s
    assert mail_s - start_s >= 3 * one_s + link.latency_s


def test_limit_s_ends_an_endless_loop(pair):
    def program(comm):
        while True:
            continue
    with pytest.raises(Stalled, match="limit of 0.5 s"):
        pair.run(program, limit_s=0.5)
    assert pair.run(neighbours, 0).results[1].tolist() == [0, 2, 4, 6, 8]


# ---- nothing is left behind -----------------------------------------------------------------------------------------

def test_children_go_with_a_killed_parent():
    script = textwrap.dedent("""
        import os, sys
        from pslab.comm import ProcessWorld, SimWorld
        from pslab.comm.process import pool
        def program(comm):
            comm.report(os.getpid())
            comm.poll()
        pids = []
        def heard(rank, pid):
            pids.append(pid)
            if len(pids) == 2:
                print(*pids, pool.current().process.pid, flush=True)
        ProcessWorld(2).run(program, on_report=heard)
    """)
    parent = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, text=True)
    pids = [int(word) for word in parent.stdout.readline().split()]
    handles = [os.pidfd_open(pid) for pid in pids]
    assert len(handles) == 3
    parent.kill()
    parent.wait()
    parent.stdout.close()
    until_s = time.monotonic() + 2.0
    for pid, handle in zip(pids, handles):
        poller = select.poll()
        poller.register(handle, select.POLLIN)
        assert poller.poll(max(until_s - time.monotonic(), 0) * 1000), f"process {pid} outlived its parent by 2 s"
        os.close(handle)


def alive(pid):
    try:
        with open(f"/proc/{pid}/stat") as stat:
            return stat.read().rsplit(")", 1)[1].split()[0] != "Z"
    except FileNotFoundError:
        return False


def leftovers():
    """Everything that a run could leave: processes, shared memory, temporary files, descriptors, listening ports."""
    me = psutil.Process()
    files = {name for folder in ("/dev/shm", "/tmp") for name in os.listdir(folder)
             if re.fullmatch("pslab-[a-z0-9_]{8}", name)}           # as memory.py names them; others run beside this
    ports = {c.laddr.port for p in [me, *me.children(recursive=True)] for c in p.net_connections()
             if c.status == "LISTEN"}
    return {p.pid for p in me.children(recursive=True)}, files, len(os.listdir("/proc/self/fd")), ports


def interrupt_main(rank, value):
    os.kill(os.getpid(), signal.SIGINT)


def run_chaos(runs):
    outcomes = {}
    pool.current()
    first = leftovers()
    with ProcessWorld(2) as shm, ProcessWorld(2, transport="tcp") as tcp:
        shm.run(ranks_and_pids)
        tcp.run(ranks_and_pids)
        before = leftovers()
        for seed in range(runs):
            chosen = shm if seed % 2 else tcp
            try:
                chosen.run(chaos, seed, timeout_s=0.5, on_report=interrupt_main)
                outcome = "finished"
            except (ValueError, RankDied, Stalled, KeyboardInterrupt, TimeoutError) as error:
                outcome = type(error).__name__
            outcomes[outcome] = outcomes.get(outcome, 0) + 1
        shm.run(ranks_and_pids)
        tcp.run(ranks_and_pids)
        after = leftovers()
        assert len(after[0]) == len(before[0]), f"processes before {before[0]}, after {after[0]} (outcomes {outcomes})"
        assert after[1:] == before[1:]
    assert leftovers() == first
    return outcomes


@pytest.mark.long
def test_nothing_is_left_after_50_runs_that_end_badly():
    outcomes = run_chaos(50)
    assert {"ValueError", "RankDied", "KeyboardInterrupt"} <= set(outcomes), outcomes


@pytest.mark.long
def test_nothing_is_left_after_500_runs_that_end_badly():
    outcomes = run_chaos(500)
    assert {"ValueError", "RankDied", "KeyboardInterrupt"} <= set(outcomes), outcomes


@pytest.mark.serial
def test_a_warm_call_reaches_its_first_instruction_within_50_ms(pair):
    def program(comm):
        return time.monotonic()
    pair.run(program)
    delays_s = []
    for _ in range(11):
        start_s = time.monotonic()
        delays_s.append(max(pair.run(program).results) - start_s)
    assert sorted(delays_s)[5] < 0.050, delays_s          # 10 ms is the aim


# ---- bad input ------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize(("make", "text"), [
    (lambda: ProcessWorld(0), "world_size=0; 1 to 64 processes"),
    (lambda: ProcessWorld(2.5), "world_size=2.5"),
    (lambda: ProcessWorld(65), "SimWorld runs thousands"),
    (lambda: ProcessWorld(2, transport="mpi"), "transport='mpi'; allowed: auto, shm, tcp"),
    (lambda: ProcessWorld(2, link=3), "link=3"),
    (lambda: ProcessWorld(1).run("x"), "program='x'; a function"),
    (lambda: ProcessWorld(2).run(neighbours, per_rank=[(1,)]), "per_rank holds 1 entries.*2 ranks"),
    (lambda: ProcessWorld(1).run(neighbours, 1, per_rank=[(1,)]), "not both"),
    (lambda: ProcessWorld(1).run(neighbours, 1, timeout_s=0), "timeout_s=0"),
    (lambda: ProcessWorld(1).run(neighbours, 1, limit_s=-1), "limit_s=-1"),
    (lambda: ProcessWorld(1).run(neighbours, threading.Lock()), "cannot be copied to the ranks"),
])
def test_bad_input_of_the_world(make, text):
    with pytest.raises(ValueError, match=text):
        make()


def line_of(program, call):
    """The line of the program on which the named call stands (the first one that begins alike)."""
    lines, first = inspect.getsourcelines(program)
    name = call.split("(")[0]
    return next(first + i for i, line in enumerate(lines) if f"comm.{name}(" in line)


def test_cloudpickle_is_what_carries_programs():
    """A program that captures what cannot be pickled is refused before any rank is touched."""
    lock = threading.Lock()
    with pytest.raises(TypeError):
        cloudpickle.dumps(lambda: lock)
    with ProcessWorld(1) as one:
        pid = one.run(ranks_and_pids).results[0][2]
        with pytest.raises(ValueError, match="cannot be copied to the ranks"):
            one.run(lambda comm: lock)
        assert one.run(ranks_and_pids).results[0][2] == pid


def test_an_interrupt_while_ranks_start_or_end_is_held_back(monkeypatch):
    """Ctrl-C in the middle of a conversation with the launcher waits for its end; nothing is lost or mixed up."""
    before = leftovers()
    with ProcessWorld(2) as two:
        send = pool.launcher.send

        def interrupted(control, request, descriptors):
            send(control, request, descriptors)
            os.kill(os.getpid(), signal.SIGINT)
        monkeypatch.setattr(pool.launcher, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            two.run(ranks_and_pids)
        monkeypatch.undo()
        assert [result[:2] for result in two.run(ranks_and_pids).results] == [(0, 2), (1, 2)]
        monkeypatch.setattr(pool.launcher, "send", interrupted)
        with pytest.raises(KeyboardInterrupt):
            two.close()
        monkeypatch.undo()
    assert leftovers()[1:] == before[1:]
