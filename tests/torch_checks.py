"""Checks of a TorchWorld of two ranks, run under torchrun by test_comm_torch_world.py: one launch, many checks.

    torchrun --nproc-per-node=2 tests/torch_checks.py FOLDER    writes FOLDER/rank-R.json: {check: "ok" or the failure}

A check is a function of a fresh-or-reused world; those whose run must fail get a world of their own.
"""

import json
import os
import re
import signal
import sys
import threading
import time
import traceback
from pathlib import Path

import collectives_async as async_programs
import collectives_oracle as oracle
import numpy as np
import ps_jobs
import pytest
import test_collectives_more as patterns
import test_ps_cluster as clusters
import test_train_data_server as feeding
import torch
import torch.distributed as dist
from test_collectives_ddp import train as ddp_training

from pslab import cost
from pslab.collectives import all_gather, all_reduce, all_to_all, broadcast, ddp, fit, reduce_scatter
from pslab.comm import CommError, RankDied, RankError, SimWorld, Stalled, TorchWorld, arrays
from pslab.comm.torchworld import works
from pslab.data import synthetic_click_log
from pslab.train import AdaGrad, Job, run_job, tables_of

CHECKS, FAILING = {}, {}


class Gathered:
    """A TorchWorld as the judges and jobs of other tests know a world: all results, on every rank."""

    def __init__(self, world, size=2):
        self.world, self.world_size = world, size

    def run(self, program, *args, **options):
        return self.world.run(program, *args, ranks=self.world_size, gather=True, **options)


def check(function):
    CHECKS[function.__name__] = function
    return function


def failing(function):
    FAILING[function.__name__] = function
    return function


def alike(a, b):
    """Equal to the last bit, whatever is nested in what."""
    if isinstance(a, torch.Tensor):
        return isinstance(b, torch.Tensor) and a.dtype == b.dtype and a.shape == b.shape and torch.equal(a, b)
    if isinstance(a, np.ndarray):
        return isinstance(b, np.ndarray) and a.dtype == b.dtype and np.array_equal(a, b)
    if isinstance(a, dict):
        return a.keys() == b.keys() and all(alike(a[k], b[k]) for k in a)
    if isinstance(a, (list, tuple)):
        return type(a) is type(b) and len(a) == len(b) and all(alike(x, y) for x, y in zip(a, b))
    return type(a) is type(b) and a == b


def same_as_simulated(world, program, *args, seed=0):
    """Run in both worlds; results, bytes by link and kind, and messages must be equal."""
    run, model = world.run(program, *args, gather=True), SimWorld(world.world_size, seed=seed).run(program, *args)
    assert alike(run.results, model.results), f"{run.results} is not {model.results}"
    assert np.array_equal(run.ledger.counts, model.ledger.counts), f"{run.ledger.counts} not {model.ledger.counts}"
    assert np.array_equal(run.ledger.sent, model.ledger.sent)
    return run


def numbered(count, comm, extra=0):
    return (torch.arange(count, dtype=torch.float64) * comm.world_size + comm.rank + extra).float()


# ---- tensors --------------------------------------------------------------------------------------------------------

@check
def sizes_out_and_op(world):
    def program(comm):
        seen, other = [], 1 - comm.rank
        for count in (0, 1, 7, 8193, 300_001):
            x, out, total = numbered(count, comm), torch.full((count,), -1.0), numbered(count, comm, 5)
            for kwargs in ({"out": out}, {"out": total, "op": "sum"}, {}):
                work = comm.isend(x, other)
                got = comm.recv(other, **kwargs)
                work.wait()
                assert "out" not in kwargs or got is kwargs["out"]
                seen.append(got.clone())
        return seen
    run = same_as_simulated(world, program)
    assert run.results[0][9][:2].tolist() == [1.0, 3.0]
    assert run.ledger.link(0, 1) == run.ledger.link(1, 0) == 3 * 4 * (0 + 1 + 7 + 8193 + 300_001)
    assert run.ledger.messages() == 30


@check
def every_dtype(world):
    def program(comm):
        seen = []
        for tag, name in enumerate(arrays.DTYPES):
            x = (torch.arange(40) % 3).to(arrays.tensor_of(arrays.empty(1, name), name).dtype).reshape(5, 8)
            if comm.rank == 0:
                comm.send(x, 1, tag)
            else:
                out = torch.ones_like(x)
                seen += [comm.recv(0, tag, out=out, op="max" if name not in ("complex64", "complex128") else "sum")]
        return seen
    same_as_simulated(world, program)


@check
def tags_keep_their_own_order(world):
    def program(comm):
        if comm.rank == 0:
            works = [comm.isend(torch.full((n,), 10.0 * tag + n), 1, tag) for n in (1, 40_000, 3) for tag in range(3)]
            for work in works:
                work.wait()
            return None
        return [(len(x), float(x[-1])) for tag in (2, 0, 1) for x in [comm.recv(0, tag) for _ in range(3)]]
    same_as_simulated(world, program)


@check
def receives_are_served_in_the_order_posted(world):
    def program(comm):
        if comm.rank == 0:
            comm.barrier()
            for n in range(4):
                comm.send(np.full(3 + n, n), 1)
            return None
        works = [comm.irecv(0) for _ in range(4)]
        comm.barrier()
        return [work.wait() for work in reversed(works)]
    assert [len(x) for x in same_as_simulated(world, program).results[1]] == [6, 5, 4, 3]


@check
def numpy_arrays_and_what_is_not_contiguous(world):
    def program(comm):
        x = np.arange(60_000, dtype=np.float32).reshape(300, 200)
        if comm.rank == 0:
            comm.send(x.T[::2], 1)
            comm.send(torch.from_numpy(x)[:, 3], 1)
            return None
        out = np.zeros((100, 300), np.float32)
        assert comm.recv(0, out=out) is out
        return out, comm.recv(0)
    same_as_simulated(world, program)


@check
def a_send_waits_for_its_receiver(world):
    def program(comm):
        if comm.rank == 0:
            began_s = time.monotonic()
            comm.send(torch.ones(3), 1)
            comm.send(torch.ones(0), 1)
            return time.monotonic() - began_s
        time.sleep(0.2)
        comm.recv(0)
        time.sleep(0.2)
        return comm.recv(0).numel()
    waited_s, empty = world.run(program, gather=True).results
    assert waited_s > 0.38, waited_s
    assert empty == 0


@check
def a_receive_that_gave_up_leaves_the_message_to_the_next(world):
    def program(comm):
        if comm.rank == 0:
            comm.barrier()
            comm.send(torch.tensor([7.0]), 1)
            return comm.recv(1, timeout_s=5.0)
        work = comm.irecv(0)
        began_s = time.monotonic()
        try:
            work.wait(0.1)
        except TimeoutError as error:
            text = str(error)
        assert 0.09 < time.monotonic() - began_s < 2
        assert "rank 1: recv(src=0, tag=0) waited 0.1 s for rank 0 at torch_checks.py:" in text, text
        comm.barrier()
        got = comm.recv(0)
        comm.isend(torch.tensor([8.0]), 0).wait()
        return got, work.is_completed()
    assert alike(world.run(program, gather=True).results, [torch.tensor([8.0]), (torch.tensor([7.0]), False)])


@check
def a_mismatch_is_told_on_both_sides_and_the_world_goes_on(world):
    def program(comm):
        texts = []
        for x, out in ((torch.ones(3), torch.ones(4)), (torch.ones(9), torch.ones(9, dtype=torch.float64)),
                       (torch.ones(0), torch.ones(1)), (torch.ones(2, 3), torch.ones(3, 2))):
            try:
                comm.send(x, 1) if comm.rank == 0 else comm.recv(0, out=out)
            except ValueError as error:
                texts.append(str(error))
            assert torch.equal(out, torch.ones_like(out))
        comm.barrier()
        return texts, all_reduce(comm, torch.ones(1))
    (sender, _), (receiver, _) = world.run(program, gather=True).results
    assert sender == receiver
    assert sender[0] == ("rank 0 sent float32[3], but rank 1 receives into float32[4]; "
                         "dtype and shape must be equal on both sides")
    assert "float64[9]" in sender[1]
    assert len(sender) == 4


@check
def bad_arguments_are_refused(world):
    def program(comm):
        calls = {"dst=2": lambda: comm.send(torch.ones(1), 2), "itself": lambda: comm.recv(comm.rank),
                 "tag=-1": lambda: comm.isend(torch.ones(1), 1 - comm.rank, -1),
                 "op='avg'": lambda: comm.recv(1 - comm.rank, out=torch.ones(1), op="avg"),
                 "out is not contiguous": lambda: comm.recv(1 - comm.rank, out=torch.ones(4)[::2]),
                 "cannot travel": lambda: comm.post(1 - comm.rank, "x", {"f": object()})}
        for text, call in calls.items():
            with pytest.raises(ValueError, match=re.escape(text)):
                call()
    ledger = world.run(program).ledger
    assert ledger.total() == ledger.messages() == 0


@check
def tensors_of_an_accelerator_by_a_stand_in(world):
    """No accelerator is here: tensors marked as such take Gloo groups in the place of NCCL's. What is checked is who
    speaks of what to whom, and which road is taken."""
    roads, before = world._endpoint.roads, works.on_accelerator
    real = (roads.up, roads.down)
    roads.up, roads.down = dist.new_group(backend="gloo"), dist.new_group(backend="gloo")
    works.on_accelerator = lambda tensor: getattr(tensor, "stands_in", False)
    taken, road = [], roads._road
    roads._road = lambda device, src, dst: taken.append((device, src, dst)) or road(device, src, dst)

    def marked(tensor):
        tensor.stands_in = True
        return tensor

    def program(comm):
        other, texts = 1 - comm.rank, []
        x, out, total = (marked(numbered(3001, comm, extra)) for extra in (0, 7, 9))
        works_ = [comm.isend(x, other), comm.isend(x, other)]
        assert comm.recv(other, out=out) is out
        assert comm.recv(other, out=total, op="sum") is total
        for work in works_:
            work.wait()
        for wrong in ({}, {"out": torch.zeros(3001)}):
            work = comm.isend(x, other)
            for call in (lambda wrong=wrong: comm.recv(other, **wrong), work.wait):
                with pytest.raises(ValueError) as caught:
                    call()
                texts.append(str(caught.value))
        with pytest.raises(ValueError, match="out is not contiguous"):
            comm.recv(other, out=Marked(torch.ones(4)[::2]))
        return out, total, texts

    class Marked(torch.Tensor):
        stands_in = True

    try:
        run = world.run(program, gather=True)
    finally:
        works.on_accelerator = before
        (roads.up, roads.down), roads._road = real, road
    for rank, (out, total, texts) in enumerate(run.results):
        place = torch.arange(3001.0) * 2
        assert torch.equal(out, place + 1 - rank)
        assert torch.equal(total, 2 * place + 1 + 9)
        assert "from an accelerator, but rank" in texts[0]
        assert "gives no out=; a tensor on its own accelerator is needed" in texts[0]
        assert "from an accelerator, but rank" in texts[2]
        assert "receives on the CPU; both must be of one kind" in texts[2]
        assert sorted(texts[i] for i in (1, 3)) == sorted(run.results[1 - rank][2][i] for i in (0, 2))
    assert sorted(set(taken)) == [(True, 0, 1), (True, 1, 0)]
    assert run.ledger.link(0, 1) == 4 * 4 * 3001


# ---- mail -----------------------------------------------------------------------------------------------------------

@check
def mail_of_every_kind(world):
    def program(comm):
        other = 1 - comm.rank
        x = torch.arange(50_000, dtype=torch.float32) + comm.rank
        comm.post(other, "first", {"n": 1, "l": [1, None, b"x"], 3: "y"}, [torch.tensor([1, 2]), x, torch.ones(0)])
        x += 1000                                                     # post has taken what it needs
        comm.post(other, "odd", {}, [torch.tensor([True, False, True]), torch.tensor([2.5], dtype=torch.float64)])
        comm.post(comm.rank, "mine", {"r": comm.rank})
        comm.post(other, "second", {"n": 2}, [torch.ones(4), torch.tensor([3])], retry=True)
        letters = [comm.poll(5.0) for _ in range(4)]
        letters.sort(key=lambda mail: mail.kind)
        assert comm.poll(0) is None
        assert comm.poll(0.02) is None
        return [(m.src, m.kind, {str(k): v for k, v in m.meta.items()}, m.tensors) for m in letters]
    run = same_as_simulated(world, program)
    assert run.ledger.port(0, "keys") == (16, 16)
    assert run.ledger.link(0, 1, "retry") == 16 + 8 + len(b"\x92\xa6second\x81\xa1n\x02")
    assert run.ledger.port(0, "vals") == (200_000 + 3 + 8,) * 2


@check
def large_mail_both_ways_at_once(world):
    def program(comm):
        for n in range(3):
            x = torch.arange(2_000_000, dtype=torch.int32) + comm.rank + n
            comm.post(1 - comm.rank, "large", {"n": n}, [x])
            x.fill_(-1)                                               # also of what no socket could take yet
        work = comm.isend(torch.arange(2_000_000) + comm.rank, 1 - comm.rank)
        same = all(torch.equal(comm.poll(20.0).tensors[0],
                               torch.arange(2_000_000, dtype=torch.int32) + 1 - comm.rank + n) for n in range(3))
        got = comm.recv(1 - comm.rank)
        work.wait()
        return same and torch.equal(got, torch.arange(2_000_000) + 1 - comm.rank)
    assert world.run(program, gather=True).results == [True, True]


@check
def groups_do_not_hear_each_other(world):
    def program(comm):
        back = comm.split(0, key=-comm.rank)
        alone, none = comm.split(comm.rank), comm.split(None if comm.rank else 3)
        seen = [(back.rank, back.members, alone.world_size, None if none is None else none.members)]
        other = 1 - comm.rank
        comm.post(other, "whole")
        back.post(back.rank ^ 1, "back")
        work, again = comm.isend(torch.tensor([1.0]), other), back.isend(torch.tensor([2.0]), 1 - back.rank)
        seen.append((back.recv(1 - back.rank), comm.recv(other), back.poll(5.0).kind, comm.poll(5.0).kind))
        work.wait()
        again.wait()
        comm.barrier()
        alone.barrier()
        return seen
    run = same_as_simulated(world, program)
    assert run.results[0][0] == (1, (1, 0), 1, (0,))


# ---- whole systems --------------------------------------------------------------------------------------------------

@check
def collectives_by_the_judges_of_the_other_worlds(world):
    for P in (0, 1, 5, 70_001):
        oracle.judge_all_reduce(Gathered(world), lambda comm, x, op: all_reduce(comm, x, op) or x, P, virtual=False)
        oracle.judge_broadcast(Gathered(world), lambda comm, x, src: broadcast(comm, x, src) or x, P, 1, virtual=False)
        oracle.judge_reduce_scatter(Gathered(world), lambda comm, x, op: (reduce_scatter(comm, x, op), x), P,
                                    virtual=False)
    oracle.judge_all_gather(Gathered(world), lambda comm, x: (all_gather(comm, x), x), [3, 20_000], virtual=False)
    oracle.judge_all_to_all(Gathered(world), lambda comm, x: (all_to_all(comm, x), x), [[1, 2], [30_000, 0]],
                            virtual=False)


@check
def collectives_in_the_background(world):
    run = same_as_simulated(world, async_programs.everything, True)
    assert alike(run.results, world.run(async_programs.everything, False, gather=True).results)
    assert world.run(async_programs.both_lines, 8, gather=True).results == [0, 0]
    assert threading.active_count() == 1
    assert "isend" not in vars(world._endpoint)


@check
def every_algorithm_of_every_pattern(world):
    def all_reduces(comm, P):
        results = []
        for name in cost.ALL_REDUCES:
            x = numbered(P, comm)
            all_reduce(comm, x, algorithm=name, groups=2 if name == "hierarchical" else None)
            results.append(x)
        return results
    for P in (0, 1, 20_001):
        same_as_simulated(world, all_reduces, P)
    for P, dtype in ((3, torch.bfloat16), (20_001, torch.float32)):
        same_as_simulated(world, patterns.all_of_it, P, dtype, 5)


@check
def a_measured_world_chooses_by_what_was_measured(world):
    def program(comm):
        x = numbered(1000, comm)
        all_reduce(comm, x)
        return x, comm.model.link.alpha_s
    model = fit(world, sizes=[1 << 12], repeats=3)
    try:
        assert model is world.model
        assert {name: [size for size, _ in points] for name, points in model.factors.items()} == {
            name: [1 << 12] for name in cost.ALL_REDUCES}
        for name, messages in (("recursive_doubling", 2), ("ring", 4), ("binomial", 2)):
            world.model = cost.Fitted(model.link, 2, {name: ((1, 1.0),)})
            run = world.run(program, gather=True)
            assert run.ledger.messages() == messages
            assert [alpha_s for _, alpha_s in run.results] == [model.link.alpha_s] * 2, "rank 0's numbers, on both"
    finally:
        world.model = None


@check
def a_server_job(world):
    run = same_as_simulated(world, ps_jobs.job, 1, ps_jobs.TABLES, ps_jobs.train, 3)
    ps_jobs.check_run(run, 1, ps_jobs.sequential(1), "torch")


@check
def a_job_with_a_scheduler_beside_the_server(world):
    run = same_as_simulated(world, clusters.program, 1, 1, 3, clusters.HERE)
    clusters.check_pulls(clusters.ByRole(run, 1, 1, alone=False), 1, ps_jobs.sequential(1))


def strategy(world, name):
    log = synthetic_click_log(train_rows=400, test_rows=100, seed=5)
    job = Job(tables_of(log, 4), log.num_dense, name, 2 if name == "allreduce" else 1, 1, (8, 4), (8, 1), AdaGrad(0.05),
              seed=3)
    batches = list(log.batches(48, 1, 6))
    reports = []
    here = run_job(Gathered(world), job, batches, report_every=2, on_report=lambda *what: reports.append(what))
    there = run_job(SimWorld(2, seed=0), job, batches)
    assert here.losses == there.losses
    assert alike(here.state, there.state)
    assert alike(here.worker_stats, there.worker_stats)
    assert np.array_equal(here.run.ledger.counts, there.run.ledger.counts)
    assert [(rank, done) for rank, (done, _) in reports] == ([(0, 2), (0, 4), (0, 6)] if world.rank == 0 else [])
    assert here.seconds > 0


for _name in ("allreduce", "server", "hybrid"):
    CHECKS[f"strategy_{_name}"] = lambda world, name=_name: strategy(world, name)


@check
def a_data_server_hands_out_every_row_once(world):
    run = same_as_simulated(world, feeding.program, 1, 1, 8, 2, 0.0, {})
    feeding.check_exactly_once(run, 1, 2)


# ---- the world itself -----------------------------------------------------------------------------------------------

@check
def results_hold_this_rank_only_unless_gathered(world):
    def program(comm, x):
        comm.report({"rank": comm.rank})
        if comm.rank == 1:
            comm.send(torch.ones(5), 0)
        else:
            comm.recv(1)
        return object() if x == "any object" else comm.rank * 10
    reports = []
    run = world.run(program, "any object", on_report=lambda *what: reports.append(what))
    assert len(run.results) == 1
    assert type(run.results[0]) is object
    assert run.ledger.link(1, 0) == 20                            # every rank has the whole ledger
    assert sorted(reports, key=str) == ([(0, {"rank": 0}), (1, {"rank": 1})] if world.rank == 0 else [])
    run = world.run(program, per_rank=[(0,), (1,)], gather=True)
    assert run.results == [0, 10]
    assert run.seconds > 0


@check
def fewer_ranks_than_processes(world):
    run = world.run(lambda comm: (comm.rank, comm.world_size, comm.members), ranks=1, gather=True)
    assert run.results == [(0, 1, (0,))]
    assert run.ledger.world_size == 1
    assert world.run(lambda comm: comm.rank, ranks=1).results == ([0] if world.rank == 0 else [])


@check
def draws_are_those_of_the_seed(world):
    def program(comm):
        return torch.rand(3, generator=comm.rng)
    same_as_simulated(world, program)
    with TorchWorld(seed=5) as other:
        same_as_simulated(other, program, seed=5)
        first, second = (other.run(lambda comm: torch.rand(2)).results[0] for _ in range(2))
        assert torch.equal(first, second)


@check
def time_and_waiting(world):
    def program(comm):
        comm.compute(1000.0)
        began_s = comm.now()
        comm.sleep(0.05)
        assert 0 <= began_s < 5
        assert comm.now() - began_s >= 0.05
        assert comm.empty((2, 3), torch.int64).shape == (2, 3)
        assert comm.device.type == "cpu"
        return comm.poll(0.1) is None
    run = world.run(program)
    assert run.results == [True]
    assert 0.15 <= run.seconds < 10


@check
def many_runs_without_growth(world):
    """Frames of a rank that is one run ahead are kept for their run."""
    def program(comm, n):
        for _ in range(2):
            comm.post(1 - comm.rank, "n", {"n": n})
        x = torch.full((2000,), float(n))
        work = comm.isend(x, 1 - comm.rank)
        assert torch.equal(comm.recv(1 - comm.rank), x)
        work.wait()
        assert [comm.poll(5.0).meta["n"] for _ in range(2)] == [n, n]
    for n in range(40):
        world.run(program, n)
        if n % 3 == world.rank:
            time.sleep(0.002)
    end = world._endpoint
    assert not any((end.posted, end.unexpected, end.sending, end.arriving)) or all(
        not q for q in (*end.posted.values(), *end.unexpected.values()))
    assert len(end.leaving) <= 1


@check
def wrong_arguments_of_run(world):
    for text, call in {"ranks=3": lambda: world.run(len, ranks=3), "timeout_s=0": lambda: world.run(len, timeout_s=0),
                       "per_rank holds 1": lambda: world.run(len, per_rank=[()]), "program=3": lambda: world.run(3),
                       "backend='mpi'": lambda: TorchWorld("mpi"), "timeout_s=-1": lambda: TorchWorld(timeout_s=-1),
                       }.items():
        with pytest.raises(ValueError, match=text):
            call()


@check
def ddp_on_the_ring_equals_stock_ddp(world):
    def program(comm, reducer):
        return ddp.run_in_group(comm, ddp_training, comm, reducer)
    stock, ringed = (world.run(program, reducer, gather=True) for reducer in (None, ddp.ring))
    for (losses, values, _, _), (ring_losses, ring_values, _, _) in zip(stock.results, ringed.results, strict=True):
        assert losses == ring_losses
        assert alike(values, ring_values)
    elements = ringed.results[0][2]
    assert ringed.ledger.total() == sum(cost.ring_all_reduce(n, 2).total for n in elements) > 0
    assert stock.ledger.total() == 0


# ---- runs that fail -------------------------------------------------------------------------------------------------

def expect(kind, world, program, *args, **options):
    """The exception of that type that the run raises, within ten seconds."""
    began_s = time.monotonic()
    with pytest.raises(kind) as caught:
        world.run(program, *args, **options)
    assert type(caught.value) is kind, type(caught.value)
    assert time.monotonic() - began_s < 10
    return caught.value


@failing
def a_stall_names_who_waits_for_whom(world):
    def program(comm):
        comm.isend(torch.ones(5), 1 - comm.rank, tag=3)
        comm.recv(1 - comm.rank, tag=4)
    error = expect(Stalled, world, program, timeout_s=1.0)
    assert error.headline == "nothing has moved for 1 s: every rank waits"
    assert [(w.call, w.peer) for w in error.waits] == [("recv(src=1, tag=4)", 1), ("recv(src=0, tag=4)", 0)]
    assert [w.rank for w in error.waits] == [0, 1]
    for wait in error.waits:
        assert wait.waited_s > 0.5
        assert wait.where.startswith("torch_checks.py:")
        assert wait.where.endswith("in program")
        assert wait.note == f"here, not asked for: rank {1 - wait.rank} sent tag 3"
    assert error.undelivered == ["rank 0 to rank 1: 1 of its tensors", "rank 1 to rank 0: 1 of its tensors"]
    assert error.ledger.link(world.rank, 1 - world.rank) == 20
    again = expect(CommError, world, lambda comm: 0)
    assert "this world ended with Stalled: nothing has moved" in str(again)


@failing
def a_stall_of_one_who_polls_and_one_who_sends(world):
    def program(comm):
        if comm.rank == 0:
            comm.send(torch.ones(2), 1)
        while True:
            comm.poll(0.02)                       # looks again and again, and nobody will ever write
    error = expect(Stalled, world, program, timeout_s=1.0)
    assert [w.call for w in error.waits] == ["send(dst=1, tag=0)", "poll(timeout_s=0.02)"]


@failing
def tensors_left_behind_stall_the_run_at_its_end(world):
    def program(comm):
        if comm.rank == 0:
            comm.isend(torch.ones(5), 1)
        else:
            comm.post(0, "bye")
    error = expect(Stalled, world, program)
    assert error.headline == "the run ended with messages that nobody received"
    assert error.undelivered == ["rank 0 to rank 1: 1 of its tensors"]
    assert error.ledger.link(0, 1, "vals") == 20
    assert error.ledger.link(1, 0, "header") > 0


@failing
def a_waiting_rank_whose_peer_has_finished_stalls(world):
    error = expect(Stalled, world, lambda comm: comm.recv(0) if comm.rank == 1 else None, timeout_s=1.0)
    assert [(w.call, w.peer) for w in error.waits] == [("finished", None), ("recv(src=0, tag=0)", 0)]


@failing
def a_stall_in_the_background_names_the_line_that_started_it(world):
    def program(comm):
        if comm.rank:
            comm.recv(0)
        all_reduce(comm, torch.ones(5), async_op=True).wait()
    error = expect(Stalled, world, program, timeout_s=1.0)
    assert [(w.call, w.peer) for w in error.waits] == [("wait() of all_reduce", 1), ("recv(src=0, tag=0)", 0)]
    line = f"torch_checks.py:{program.__code__.co_firstlineno + 3} in program"
    assert error.waits[0].note == f"in the background: recv(src=1, tag=all_reduce) of all_reduce, started at {line}"
    assert threading.active_count() == 1


@failing
def a_program_that_does_not_wait_is_told(world):
    def program(comm):
        all_reduce(comm, torch.ones(5), async_op=True)
    error = expect(CommError, world, program)
    assert "without waiting for what it had started in the background: all_reduce, started at" in str(error)
    assert threading.active_count() == 1


@failing
def an_error_of_one_rank_reaches_all(world):
    def program(comm):
        if comm.rank == 1:
            raise KeyError("planned")
        comm.recv(1)
    error = expect(KeyError, world, program)
    assert error.args == ("planned",)
    if world.rank == 0:
        assert "raised by rank 1:" in error.__notes__[0]
        assert "raise KeyError(\"planned\")" in error.__notes__[0]


class OwnError(Exception):
    pass


@failing
def an_error_of_an_unknown_kind(world):
    def program(comm):
        comm.barrier()
        if comm.rank == 0:
            raise OwnError("something")
        comm.poll()
    if world.rank == 0:
        expect(OwnError, world, program)
    else:
        assert str(expect(RankError, world, program)) == "rank 0 raised OwnError: something"


@failing
def a_rank_that_leaves_with_an_exit_code(world):
    def program(comm):
        if comm.rank == 1:
            sys.exit(7)
        comm.recv(1)
    if world.rank == 1:
        expect(SystemExit, world, program)
    else:
        error = expect(RankDied, world, program)
        assert (error.rank, error.exitcode) == (1, 7)


@failing
def a_run_over_its_limit(world):
    def program(comm):
        while True:                               # always on the move, never done
            comm.post(1 - comm.rank, "ball")
            comm.poll(1.0)
    error = expect(Stalled, world, program, limit_s=0.5)
    assert error.headline == "the run did not end within its limit of 0.5 s"


@failing
def a_result_that_cannot_travel(world):
    error = expect(ValueError, world, lambda comm: {1, 2} if comm.rank == 0 else 3, gather=True)
    assert "the result of rank 0 (a set) cannot be handed to the others" in str(error)


@failing
def a_rank_whose_torchrun_is_gone_stops(world):
    assert world._endpoint.launcher == os.getppid()
    world._endpoint.launcher += 1
    error = expect(CommError, world, lambda comm: [comm.barrier() for _ in range(9)])
    assert "torchrun, which started this process, is gone" in str(error)


@failing
def a_closed_world_is_of_no_use(world):
    world.close()
    assert "close()" in str(expect(CommError, world, len))


# ---- one launch -----------------------------------------------------------------------------------------------------

def tried(function, world):
    try:
        function(world)
        return "ok"
    except BaseException:  # noqa: BLE001 - whatever it is belongs into the report
        return traceback.format_exc()


def main(folder):
    report, world = {}, TorchWorld()
    for name, function in CHECKS.items():
        report[name] = tried(function, world)
        if report[name] != "ok":
            print(name, report[name], file=sys.stderr, flush=True)
        if world._failed:
            world = TorchWorld()
    world.close()
    for name, function in FAILING.items():
        report[name] = tried(function, TorchWorld())
    path = Path(folder, f"rank-{world.rank}.json")
    path.write_text(json.dumps(report))
    signal.signal(signal.SIGTERM, signal.SIG_IGN)         # torchrun ends the survivor at once: its report comes first
    report["a_killed_rank_is_named"] = tried(a_killed_rank_is_named, TorchWorld())
    path.write_text(json.dumps(report))


def a_killed_rank_is_named(world):
    """The last check: rank 1 does not come back from it."""
    def program(comm):
        comm.barrier()
        if comm.rank == 1:
            os.kill(os.getpid(), signal.SIGKILL)
        comm.poll()                                       # waits for anyone, not for rank 1
    error = expect(RankDied, world, program)
    assert (error.rank, error.signal, error.exitcode) == (1, None, None)
    assert str(error) == "rank 1 is gone: its connection ended before its program did"


if __name__ == "__main__":
    main(sys.argv[1])
