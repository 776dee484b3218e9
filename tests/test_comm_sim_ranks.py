"""What a rank has for itself, how it ends, and what the caller gets."""

import _thread
import random
import signal
import threading

import numpy as np
import pytest
import torch

from pslab.comm import Link, RankDied, SimWorld

ENGINES = ["threads", "greenlets"]


@pytest.fixture(autouse=True)
def _nothing_is_left():
    before = threading.enumerate()
    state = torch.get_rng_state(), np.random.get_state()[1].copy(), random.getstate()
    yield
    assert threading.enumerate() == before
    assert torch.is_grad_enabled()
    assert torch.equal(torch.get_rng_state(), state[0])
    assert (np.random.get_state()[1] == state[1]).all()
    assert random.getstate() == state[2]


# ---- exceptions -----------------------------------------------------------------------------------------------------


class Mine(Exception):
    pass


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize("kind", [Mine, KeyError, KeyboardInterrupt, AssertionError])
def test_what_a_rank_raises_is_raised_unchanged(engine, kind):
    raised, cleaned = kind("why"), []

    def program(comm):
        try:
            comm.barrier()
            if comm.rank == 2:
                raise raised
            comm.poll()
        finally:
            cleaned.append(comm.rank)

    with pytest.raises(kind) as caught:
        SimWorld(4, engine=engine).run(program)
    assert caught.value is raised
    assert raised.__notes__ == ["raised by rank 2"]
    assert sorted(cleaned) == [0, 1, 2, 3]                               # every rank was unwound
    assert any(entry.name == "program" for entry in caught.traceback)


@pytest.mark.parametrize("engine", ENGINES)
def test_ranks_that_hold_on_while_they_are_unwound(engine):
    """A finally block that communicates, and an except that swallows everything: both end."""
    def program(comm):
        if comm.rank == 3:
            comm.sleep(1.0)
            raise Mine
        try:
            comm.poll()
        except BaseException:  # noqa: BLE001 - a program may do this
            if comm.rank == 0:
                comm.poll()
            if comm.rank == 1:
                comm.report(1)
        finally:
            comm.post(0, "bye")
            comm.barrier()

    with pytest.raises(Mine):
        SimWorld(4, engine=engine).run(program, on_report=print)


@pytest.mark.parametrize("engine", ENGINES)
def test_exit_is_a_death(engine):
    with pytest.raises(RankDied, match="rank 1 left with exit code 3") as caught:
        SimWorld(2, engine=engine).run(lambda comm: exit(3) if comm.rank else comm.poll())
    assert (caught.value.rank, caught.value.exitcode, caught.value.signal) == (1, 3, None)


@pytest.mark.parametrize("interrupt", [
    _thread.interrupt_main, lambda: signal.pthread_kill(threading.main_thread().ident, signal.SIGINT)])
def test_an_interrupt_of_the_caller_reaches_a_running_thread(interrupt):
    """The caller waits while a rank computes: an interrupt there stops that rank too."""
    def program(comm):
        comm.barrier()
        if comm.rank == 1:
            interrupt()
            while True:
                pass
        comm.poll()

    with pytest.raises(KeyboardInterrupt):
        SimWorld(3, engine="threads").run(program, timeout_s=20.0)


def test_a_world_can_be_used_again_after_a_failure():
    world = SimWorld(2)
    with pytest.raises(ZeroDivisionError):
        world.run(lambda comm: 1 / 0)
    assert world.run(lambda comm: comm.rank).results == [0, 1]


def test_a_world_inside_a_rank():
    def program(comm):
        inner = SimWorld(3).run(lambda inner: print(f"inner {inner.rank}") or inner.rank)
        comm.barrier()
        return inner.results

    run = SimWorld(2).run(program)
    assert run.results == [[0, 1, 2]] * 2
    assert run.prints == ["inner 0\ninner 1\ninner 2\n"] * 2


# ---- prints and reports ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_prints_are_kept_apart_and_shown_by_rank(engine, capsys):
    def program(comm):
        for step in range(2):
            comm.compute((3 - comm.rank) * 1e-3)
            print("rank", comm.rank, "step", step)

    run = SimWorld(3, engine=engine).run(program)
    assert run.prints == [f"rank {r} step 0\nrank {r} step 1\n" for r in range(3)]
    assert capsys.readouterr().out == "".join(run.prints)


@pytest.mark.parametrize("engine", ENGINES)
def test_prints_are_shown_also_when_the_run_fails(engine, capsys):
    def program(comm):
        print("here is", comm.rank)
        comm.barrier()
        raise Mine

    with pytest.raises(Mine):
        SimWorld(2, engine=engine).run(program)
    assert capsys.readouterr().out == "here is 0\nhere is 1\n"


@pytest.mark.parametrize("engine", ENGINES)
def test_reports_reach_the_caller_while_the_run_goes_on(engine, capsys):
    seen, threads = [], set()

    def on_report(rank, value):
        threads.add(threading.current_thread())
        print("seen", rank, value)
        seen.append((rank, value))

    def program(comm):
        for step in range(2):
            comm.compute(1.0 + comm.rank)
            comm.report({"step": step})
        return len(seen)

    run = SimWorld(2, engine=engine).run(program, on_report=on_report)
    assert seen == [(0, {"step": 0}), (1, {"step": 0}), (0, {"step": 1}), (1, {"step": 1})]
    assert run.results == [3, 4]
    assert threads == {threading.current_thread()}
    assert capsys.readouterr().out.count("seen") == 4                     # the caller's print, not a rank's
    assert run.prints == ["", ""]
    assert SimWorld(2, engine=engine).run(lambda comm: comm.report(1)).results == [None, None]


def test_a_report_is_a_copy():
    seen = []

    def program(comm):
        x = torch.zeros(1)
        comm.report(x)
        x += 1

    SimWorld(1).run(program, on_report=lambda rank, value: seen.append(value))
    assert seen == [torch.zeros(1)]


@pytest.mark.parametrize("engine", ENGINES)
def test_an_error_of_the_report_callback_ends_the_run(engine):
    def on_report(rank, value):
        raise Mine

    with pytest.raises(Mine):
        SimWorld(2, engine=engine).run(lambda comm: (comm.report(1), comm.barrier()), on_report=on_report)


# ---- what is global in a process ------------------------------------------------------------------------------------


def draws(comm):
    """Each rank seeds all three generators with its rank, and draws between waits."""
    torch.manual_seed(comm.rank), np.random.seed(comm.rank), random.seed(comm.rank)
    values = []
    for _ in range(3):
        values += [torch.rand(1).item(), np.random.randn(), random.random(), random.gauss(0, 1)]
        comm.barrier()
        comm.sleep(1e-6 * (3 - comm.rank))
    return values


def test_generators_belong_to_the_rank():
    assert SimWorld(3).run(draws).results == [SimWorld(3).run(lambda comm, r=r: draws(_As(r))).results[0]
                                              for r in range(3)]


class _As:
    """A comm that is alone: what a rank draws when nobody else does."""

    def __init__(self, rank):
        self.rank = rank

    def barrier(self):
        pass

    def sleep(self, seconds):
        pass


def test_unseeded_generators_follow_the_seed_of_the_world_and_the_rank():
    def program(comm):
        first = torch.rand(1).item(), np.random.rand(), random.random()
        comm.barrier()
        return first, (torch.rand(1).item(), np.random.rand(), random.random())

    one, again, other = (SimWorld(3, seed=seed).run(program).results for seed in (0, 0, 1))
    assert one == again
    assert len({value for result in one + other for row in result for value in row}) == 2 * 3 * 2 * 3


def test_greenlets_share_generators_that_the_seed_of_the_world_fixes():
    def program(comm):
        return torch.rand(1).item(), np.random.rand(), random.random()

    one, again, other = (SimWorld(3, engine="greenlets", seed=seed).run(program).results for seed in (0, 0, 1))
    assert one == again != other
    assert len(set(one)) == 3


def test_threads_keep_grad_mode_and_autocast_apart():
    def program(comm):
        if comm.rank == 0:
            with torch.no_grad(), torch.autocast("cpu", dtype=torch.bfloat16):
                comm.barrier()
                inside = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
            comm.barrier()
            return inside
        comm.barrier()
        inside = torch.is_grad_enabled(), torch.is_autocast_enabled("cpu")
        comm.barrier()
        return inside

    assert SimWorld(3).run(program).results == [(False, True), (True, False), (True, False)]


@pytest.mark.parametrize("engine", ENGINES)
def test_the_callers_modes_do_not_reach_the_ranks(engine):
    def program(comm):
        comm.barrier()
        return torch.is_grad_enabled(), torch.is_autocast_enabled("cpu"), torch.is_inference_mode_enabled()

    with torch.no_grad(), torch.autocast("cpu"):
        assert SimWorld(2, engine=engine).run(program).results == [(True, False, False)] * 2
        assert not torch.is_grad_enabled()
        assert torch.is_autocast_enabled("cpu")
    with torch.inference_mode():
        assert SimWorld(2, engine=engine).run(program).results == [(True, False, False)] * 2
        assert torch.is_inference_mode_enabled()


@pytest.mark.parametrize(("mode", "name"), [(torch.no_grad, "grad mode"), (torch.inference_mode, "grad mode"),
                                            (lambda: torch.autocast("cpu"), "autocast")])
def test_greenlets_refuse_to_wait_under_a_changed_mode(mode, name):
    def program(comm):
        with mode():
            comm.barrier()

    with pytest.raises(RuntimeError, match=f"rank 0 waits in a comm call .*{name}.*engine='threads'"):
        SimWorld(2, engine="greenlets").run(program)
    SimWorld(2, engine="threads").run(program)


@pytest.mark.parametrize("engine", ENGINES)
def test_backward_inside_ranks(engine):
    def program(comm):
        torch.manual_seed(0)
        weight = torch.arange(4.0, requires_grad=True)
        total = 0.0
        for step in range(3):
            weight.grad = None
            loss = ((comm.rank + 1) * weight * weight).sum() * (step + 1)
            comm.barrier()
            loss.backward()
            right = (comm.rank + 1) % comm.world_size
            work = comm.isend(weight.grad, right)
            total = total + comm.recv((comm.rank - 1) % comm.world_size)
            work.wait()
        return total.tolist()

    assert SimWorld(3, engine=engine).run(program).results == [
        [12 * ((rank - 1) % 3 + 1) * w for w in range(4)] for rank in range(3)]


def test_a_hook_may_communicate_inside_backward_on_threads_only():
    def program(comm):
        weight = torch.ones(2, requires_grad=True)

        def hook(grad):
            work = comm.isend(grad, 1 - comm.rank)
            other = comm.recv(1 - comm.rank)
            work.wait()
            return grad + other

        weight.register_hook(hook)
        ((comm.rank + 1) * weight).sum().backward()
        return weight.grad.tolist()

    assert SimWorld(2).run(program).results == [[3.0, 3.0]] * 2
    with pytest.raises(RuntimeError, match="inside a backward pass"):
        SimWorld(2, engine="greenlets").run(program)


# ---- arguments ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("engine", ENGINES)
def test_every_rank_has_its_own_copy_of_its_arguments(engine):
    x, rows = torch.zeros(3), {"a": [np.zeros(2)]}

    def program(comm, x, rows):
        x += comm.rank
        rows["a"][0][:] = comm.rank
        comm.barrier()
        return x.tolist(), rows["a"][0].tolist()

    expected = [([float(r)] * 3, [float(r)] * 2) for r in range(3)]
    world = SimWorld(3, engine=engine)
    assert world.run(program, x, rows).results == expected
    assert world.run(program, per_rank=[(x, rows)] * 3).results == expected
    assert x.tolist() == [0.0] * 3
    assert rows["a"][0].tolist() == [0.0] * 2


def test_per_rank_arguments_go_to_their_rank():
    run = SimWorld(3).run(lambda comm, a, b: (comm.rank, a, b), per_rank=[(r * 2, str(r)) for r in range(3)])
    assert run.results == [(r, r * 2, str(r)) for r in range(3)]


def test_arguments_that_cannot_be_copied_say_so():
    with pytest.raises(ValueError, match="cannot be copied .*let the program close over"):
        SimWorld(2).run(lambda comm, lock: None, threading.Lock())


@pytest.mark.parametrize(("make", "message"), [
    (lambda: SimWorld(0), "world_size=0"),
    (lambda: SimWorld(-1), "world_size=-1"),
    (lambda: SimWorld(2.5), "world_size=2.5"),
    (lambda: SimWorld(2, engine="gevent"), "engine='gevent'; allowed: 'auto', 'threads', 'greenlets'"),
    (lambda: SimWorld(2, link=3), "link=3; a Link"),
    (lambda: SimWorld(2, links={(0, 2): Link()}), r"links has the key \(0, 2\)"),
    (lambda: SimWorld(2, links={0: Link()}), "links has the key 0"),
    (lambda: SimWorld(2, links={(0, 1): 1e9}), r"links\[\(0, 1\)\]"),
    (lambda: SimWorld(2, faults=0.1), "faults=0.1; a Faults"),
    (lambda: SimWorld(2).run(None), "program=None"),
    (lambda: SimWorld(2).run(print, timeout_s=0), "timeout_s=0"),
    (lambda: SimWorld(2).run(print, 1, per_rank=[(), ()]), "not both"),
    (lambda: SimWorld(2).run(print, per_rank=[()]), "per_rank holds 1 entries"),
    (lambda: SimWorld(2).run(print, per_rank=[1, 2]), "one tuple of arguments"),
])
def test_bad_worlds(make, message):
    with pytest.raises(ValueError, match=message):
        make()


@pytest.mark.parametrize("engine", ENGINES)
@pytest.mark.parametrize(("call", "message"), [
    (lambda comm: comm.send(torch.zeros(1), 2), "dst=2; this group has ranks 0..1"),
    (lambda comm: comm.recv(-1), "src=-1"),
    (lambda comm: comm.isend(np.zeros(1), comm.rank), "is this rank itself"),
    (lambda comm: comm.isend(np.zeros(1, object), 1 - comm.rank), "dtype object"),
    (lambda comm: comm.isend([1.0], 1 - comm.rank), "tensor is a list"),
    (lambda comm: comm.isend(np.zeros(1), 1 - comm.rank, tag=-1), "tag=-1"),
    (lambda comm: comm.isend(np.zeros(1), 1 - comm.rank, tag=1.5), "tag=1.5"),
    (lambda comm: comm.recv(1 - comm.rank, tag=2**31), "tag=2147483648"),
    (lambda comm: comm.recv(1 - comm.rank, out=np.zeros(2), op="mean"), "op='mean'; allowed"),
    (lambda comm: comm.recv(1 - comm.rank, op="sum"), "reduces into out="),
    (lambda comm: comm.recv(1 - comm.rank, out=np.zeros((4, 4))[:, 1]), "not contiguous"),
    (lambda comm: comm.recv(1 - comm.rank, out=np.broadcast_to(np.zeros(1), 1)), "read-only"),
    (lambda comm: comm.post(3, "kind"), "dst=3"),
    (lambda comm: comm.post(0, ""), "kind=''"),
    (lambda comm: comm.post(0, "kind", {"a": {1, 2}}), "cannot travel"),
    (lambda comm: comm.poll(-1), "timeout_s=-1"),
    (lambda comm: comm.sleep(-1), "seconds=-1"),
    (lambda comm: comm.compute(float("nan")), "seconds=nan"),
    (lambda comm: comm.split(-2), "color=-2"),
])
@pytest.mark.parametrize("warm", [False, True])
def test_bad_calls(engine, call, message, warm):
    """Refused before anything moved, also when the short way is open."""
    def program(comm):
        if warm:
            work = comm.isend(np.zeros(1), 1 - comm.rank)
            comm.recv(1 - comm.rank, out=np.zeros(1))
            work.wait()
        with pytest.raises(ValueError, match=message):
            call(comm)

    run = SimWorld(2, engine=engine, trace=not warm).run(program)
    assert run.ledger.messages() == 2 * warm
