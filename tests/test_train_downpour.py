"""Downpour, compensation at the worker and at the server, and what a watched server records: against literal runs."""

import math

import numpy as np
import pytest
import torch

from pslab.comm import Link, ProcessWorld, SimWorld
from pslab.data import Batch, KeyedJaggedTensor
from pslab.ps import ASP, BSP, SGD, SSP, AdaGrad, KVServer, KVWorker, TableConfig, serve
from pslab.train import (
    Compensated,
    Downpour,
    Pace,
    Trainer,
    WarmUp,
    WatchedServer,
    compensate,
    dense_table,
    over_staleness,
    spend,
)

P, LR = 5, 0.125
CURVES = torch.tensor([1.0, 2.0, 0.5, 1.5, 1.0])
START = torch.tensor([4.0, -3.0, 2.0, 8.0, -1.0])


def pull_of(rank, step):
    """A linear part of the loss that differs by rank, step and coordinate."""
    return torch.tensor([((3 * rank + 5 * step + 2 * i) % 7 - 3) / 8 for i in range(P)])


def loss_of(w, rank, step):
    return (CURVES * w * w).sum() / 2 - (pull_of(rank, step) * w).sum()


def gradient_of(w, rank, step):
    return CURVES * w - pull_of(rank, step)


def program(comm, K, table, steps, make, pace=None, watch=None):
    """Workers first, then one server. A worker gives (its copy, [(w read, gradient)], stats)."""
    if comm.rank >= K:
        server = KVServer([table], comm.rank - K, comm.world_size - K, range(K))
        watched = server if watch is None else WatchedServer(server, **watch)
        serve(comm, watched)
        seen = [] if watch is None else [list(update) for update in watched.updates]
        return np.array(server.rows("dense")[:, 0]), seen, [] if watch is None else watched.snapshots_taken
    w, log = torch.nn.Parameter(START.clone()), []
    with KVWorker(comm, range(K, comm.world_size), [table]) as kv:
        strategy = make(kv, [w])
        for step in range(steps):
            strategy.before()
            loss_of(w, comm.rank, step).backward()
            log.append((w.detach().clone().numpy(), w.grad.clone().numpy()))
            spend(comm, 0.0 if pace is None else pace(comm.rank, step), real="none")
            strategy.after()
        strategy.finish()
        return strategy.flat.values.numpy().copy(), log, kv.stats()["dense"]


def table_of(rule=None, consistency=None):
    return dense_table([torch.nn.Parameter(START.clone())], rule=rule or SGD(LR), consistency=consistency or ASP())


def run(K=1, steps=12, servers=1, rule=None, consistency=None, link=None, pace=None, watch=None, make=None, **options):
    make = make or (lambda kv, parameters: Downpour(kv, parameters, **options))
    table = table_of(rule, consistency)
    return SimWorld(K + servers, link=link).run(program, K, table, steps, make, pace, watch)


# ---- Downpour -----------------------------------------------------------------------------------------------------

def test_one_worker_that_fetches_and_pushes_every_step_is_plain_sgd_bit_for_bit():
    w = START.clone()
    for step in range(12):
        w = w - LR * gradient_of(w, 0, step)
    for consistency in (ASP(), SSP(2), BSP()):
        assert np.array_equal(run(consistency=consistency).results[1][0], w.numpy())
    with ProcessWorld(2) as processes:
        result = processes.run(program, 1, table_of(), 12, Downpour)
    assert np.array_equal(result.results[1][0], w.numpy())


def literal_downpour(steps, fetch_every, push_every, local_lr=0.0, overlap=False, warm_up=None):
    """Alone on the servers, step by step, as the paper tells it."""
    server, w, accrued = START.clone(), None, torch.zeros(P)
    on_its_way = None
    for step in range(steps):
        if on_its_way is not None:
            w, on_its_way = on_its_way, None
        if step % fetch_every == 0:
            if overlap and step:
                on_its_way = server.clone()
            else:
                w = server.clone()
        g = gradient_of(w, 0, step) * (1.0 if warm_up is None else warm_up(step))
        accrued = accrued + g
        w = w - local_lr * g
        if (step + 1) % push_every == 0 or step + 1 == steps:
            server, accrued = server - LR * accrued, torch.zeros(P)
    return server.numpy()


@pytest.mark.parametrize("options", [
    {"fetch_every": 1, "push_every": 1}, {"fetch_every": 4, "push_every": 1}, {"fetch_every": 1, "push_every": 3},
    {"fetch_every": 4, "push_every": 2}, {"fetch_every": 4, "push_every": 2, "local_lr": LR},
    {"fetch_every": 5, "push_every": 5, "local_lr": 0.0625}, {"fetch_every": 1, "push_every": 1, "overlap": True},
    {"fetch_every": 3, "push_every": 2, "overlap": True, "local_lr": LR},
    {"fetch_every": 2, "push_every": 1, "warm_up": WarmUp(8, 0.25)},
], ids=str)
def test_every_n_and_m_are_those_of_the_paper(options):
    result = run(steps=13, **options)
    assert np.allclose(result.results[1][0], literal_downpour(13, **options), rtol=1e-6)
    stats = result.results[0][2]
    assert stats["pulls"] == math.ceil(13 / options["fetch_every"])
    assert stats["pushes"] == math.ceil(13 / options["push_every"])


def test_the_literal_runs_differ_so_every_option_counts():
    ends = [literal_downpour(13, *nm, **more) for nm in ((1, 1), (4, 1), (1, 3), (4, 3))
            for more in ({}, {"local_lr": LR / 2}, {"overlap": True}, {"warm_up": WarmUp(8, 0.25)})]
    # with n = 1 a fetch wipes local steps out; all others end elsewhere
    assert len({tuple(np.round(end, 5)) for end in ends}) == len(ends) - 2


def test_adagrad_on_the_server_is_that_of_torch():
    w = torch.nn.Parameter(START.clone())
    optimizer = torch.optim.Adagrad([w], lr=0.5)
    for step in range(12):
        optimizer.zero_grad()
        loss_of(w, 0, step).backward()
        optimizer.step()
    assert np.allclose(run(rule=AdaGrad(0.5)).results[1][0], w.detach(), atol=1e-6)


@pytest.mark.parametrize("servers", [1, 2])
def test_no_gradient_is_lost_or_doubled_with_several_workers(servers):
    K, steps = 3, 10
    result = run(K=K, steps=steps, servers=servers, fetch_every=3, push_every=4, local_lr=LR,
                 pace=Pace.exponential(1.0, seed=1))
    total = np.sum([g for worker in result.results[:K] for _, g in worker[1]], axis=0)
    ends = np.concatenate([server[0] for server in result.results[K:]])
    assert np.allclose(ends, START.numpy() - LR * total, atol=1e-4)


def test_overlap_hides_the_network():
    slow = Link(latency_s=0.2, bandwidth_Bps=math.inf)
    apart, beside = (run(steps=10, link=slow, pace=Pace.equal(1.0), overlap=overlap).seconds
                     for overlap in (False, True))
    # apart: pull 0.4, compute 1, push and its answer 0.4, every step; the clock's own answer is waited for by nobody
    assert apart == pytest.approx(10 * 1.8 + 0.4, abs=0.3)
    assert beside == pytest.approx(10 * 1.0 + 1.2, abs=0.5)


def test_downpour_is_a_strategy_of_the_trainer():
    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([[0.5, -0.25]]))

        def forward(self, dense, sparse):
            return (dense @ self.w.T)[:, 0]

    none = KeyedJaggedTensor([], torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), stride=2)
    batches = [Batch(torch.tensor([[1.0, 2.0], [0.5, t]]), none, torch.tensor([1.0, 0.0])) for t in range(4)]

    def train(comm):
        model = Line()
        table = dense_table(model.parameters(), rule=SGD(0.5), consistency=ASP())
        if comm.rank == 1:
            return serve(comm, KVServer([table], 0, 1, [0]))
        with KVWorker(comm, [1], [table]) as kv:
            trainer = Trainer(model, Downpour(kv, model.parameters()))
            return [trainer.step(batch) for batch in batches], trainer.state_dict()["w"].numpy()

    losses, w = SimWorld(2).run(train).results[0]
    alone = Trainer(Line(), "single", None, SGD(0.5))
    assert np.allclose(losses, [alone.step(batch) for batch in batches], rtol=1e-6)
    assert np.allclose(w, alone.state_dict()["w"], rtol=1e-6)
    with pytest.raises(ValueError, match="an object with before"):
        Trainer(Line(), object())


# ---- watched servers and compensation -----------------------------------------------------------------------------

PACE = Pace.exponential(1.0, seed=4)
LAM = 1 / 64


def test_a_watched_server_does_what_the_plain_one_does():
    plain = run(K=3, pace=PACE)
    watched = run(K=3, pace=PACE, watch={})
    assert plain.trace.to_bytes() == watched.trace.to_bytes()
    assert np.array_equal(plain.results[3][0], watched.results[3][0])


def server_by_hand(result, K, lam=0.0, scale=None):
    """The rows after all updates in the order that the server saw, from what the workers say they read and pushed."""
    w = START.numpy().copy()
    step = [0] * K
    for worker, *_, staleness, _ in result.results[K][1]:
        then, g = result.results[worker][1][step[worker]]
        step[worker] += 1
        w = w - LR * (g + lam * g * g * (w - then)) * (1.0 if scale is None else scale(staleness))
    return w


@pytest.mark.parametrize(("lam", "scale"), [(0.0, None), (LAM, None), (0.0, over_staleness), (LAM, over_staleness)])
def test_compensation_and_scale_on_the_server(lam, scale):
    result = run(K=3, pace=PACE, watch={"compensation": lam, "scale": scale})
    assert np.allclose(result.results[3][0], server_by_hand(result, 3, lam, scale), atol=1e-5)
    assert (lam == 0 and scale is None) or not np.allclose(result.results[3][0], server_by_hand(result, 3), atol=1e-3)


def test_updates_are_recorded_with_staleness_clock_lead_and_time():
    K, steps = 3, 12
    result = run(K=K, steps=steps, pace=PACE, link=Link(0, 0, math.inf), watch={"snapshots": 4})
    updates = result.results[K][1]
    assert len(updates) == K * steps
    reads = dict.fromkeys(range(K), 0)
    for number, (worker, table, clock, lead, staleness, time_s) in enumerate(updates):
        assert table == "dense"
        assert staleness == number - reads[worker]
        reads[worker] = number + 1                          # it reads again at once, as nobody's pull waits under ASP
        clocks = [sum(1 for w, *_ in updates[:number] if w == other) for other in range(K)]
        assert clock == clocks[worker]
        assert lead == clock - min(clocks)
        assert time_s == pytest.approx(sum(PACE(worker, t) for t in range(clock + 1)))
    snapshots = result.results[K][2]
    assert [steps for _, steps, _ in snapshots] == [0, *range(4, 37, 4)]
    assert np.array_equal(snapshots[0][2][:, 0], START)
    assert np.array_equal(snapshots[-1][2][:, 0], result.results[K][0])
    assert [time_s for time_s, *_ in snapshots[1:]] == [updates[at - 1][-1] for at in range(4, 37, 4)]


def test_rounds_have_no_staleness_and_ssp_keeps_its_lead():
    assert {update[4] for update in run(K=3, pace=PACE, watch={}, consistency=BSP()).results[3][1]} == {0}
    leads = {update[3] for update in run(K=3, pace=PACE, watch={}, consistency=SSP(2)).results[3][1]}
    assert max(leads) == 2


def test_compensation_at_the_worker_uses_what_the_server_has_when_it_pushes():
    result = run(K=3, pace=PACE, link=Link(0, 0, math.inf), watch={},
                 make=lambda kv, parameters: Compensated(kv, parameters, LAM))
    assert np.allclose(result.results[3][0], server_by_hand(result, 3, LAM), atol=1e-5)
    assert [worker[2]["pulls"] for worker in result.results[:3]] == [24] * 3
    off = run(K=3, pace=PACE, watch={}, make=lambda kv, parameters: Compensated(kv, parameters, 0.0))
    assert off.trace.to_bytes() == run(K=3, pace=PACE, watch={}).trace.to_bytes()


def test_compensation_at_the_worker_measures_from_the_fetch_and_not_from_its_local_steps():
    server, then, w = START.clone(), None, None
    for step in range(7):
        if step % 3 == 0:
            then = w = server.clone()
        g = gradient_of(w, 0, step)
        w = w - LR / 2 * g
        server = server - LR * (g + LAM * g * g * (server - then))
    found = run(steps=7, make=lambda kv, parameters: Compensated(kv, parameters, LAM, fetch_every=3, local_lr=LR / 2))
    assert np.allclose(found.results[1][0], server, rtol=1e-5)


def sparse_program(comm):
    table = TableConfig("dense", 2, 6, SGD(1.0), ASP())
    if comm.rank == 2:
        server = WatchedServer(KVServer([table], 0, 1, [0, 1]), compensation=0.5)
        serve(comm, server)
        return server.rows("dense").copy()
    with KVWorker(comm, [2], [table]) as kv:
        keys = torch.tensor([4, 1, 4]) if comm.rank else torch.tensor([1, 5])
        kv.wait(kv.pull(keys, "dense"))
        comm.compute(1.0 + comm.rank)
        kv.push(keys, torch.full((len(keys), 2), 1.0), "dense")
        kv.clock()


def test_rows_by_key_are_compensated_row_by_row():
    rows = SimWorld(3).run(sparse_program).results[2]
    # worker 0 pushes 1 to rows 1 and 5; then worker 1 pushes 1 to row 1, which moved by -1, and 2 to row 4
    assert rows[:, 0].tolist() == [0, -1 - (1 + 0.5 * 1 * (-1 - 0)), 0, 0, -2, -1]


def test_compensate_takes_arrays_and_tensors():
    g, now, then = np.array([2.0, -1.0]), np.array([1.0, 1.0]), np.array([0.0, 3.0])
    assert compensate(g, now, then, 0.5).tolist() == [4.0, -2.0]
    assert compensate(*map(torch.tensor, (g, now, then)), 0.5).tolist() == [4.0, -2.0]


def server_of(consistency=None, **options):
    return KVServer([TableConfig("dense", 1, options.pop("num_rows", 4), SGD(1.0), consistency or ASP(), **options)],
                    0, 1, [0])


@pytest.mark.parametrize(("call", "words"), [
    (lambda: Downpour(None, [], fetch_every=0), "fetch_every=0"),
    (lambda: Downpour(None, [], push_every=True), "push_every=True"),
    (lambda: Downpour(None, [], local_lr=-1), "local_lr=-1"),
    (lambda: Compensated(None, [], -1), "strength=-1"),
    (lambda: WatchedServer(server_of(), compensation=-1), "compensation=-1"),
    (lambda: WatchedServer(server_of(), snapshots=-1), "snapshots=-1"),
    (lambda: WatchedServer(server_of(BSP()), compensation=1), "steps in rounds"),
    (lambda: WatchedServer(server_of(BSP()), scale=over_staleness), "steps in rounds"),
    (lambda: WatchedServer(server_of(num_rows=None), compensation=1), "num_rows"),
    (lambda: WatchedServer(server_of(dtype="bfloat16"), compensation=1), "float32"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
