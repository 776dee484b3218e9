"""Hogwild! in shared memory: exact where nothing can be lost, and what is lost counted where it is."""

import gc
import os

import numpy as np
import pytest
import torch

from pslab.comm import ProcessWorld, SimWorld
from pslab.data import Batch, KeyedJaggedTensor
from pslab.train import Hogwild, Pace, Quadratic, SparseLogistic, Trainer, WarmUp, run_hogwild, shared_vector
from pslab.train.tasks import Task

TASK = SparseLogistic(300, 40, 4, seed=2)


class Ones(Task):
    """Every step of worker r adds -1 to `keys[r]`: what must come out is known."""

    best_loss = 0.0

    def __init__(self, keys, dim=4):
        self.keys, self.dim, self.start = [np.array(k) for k in keys], dim, np.zeros(dim)

    def loss(self, w):
        return float(w.sum())

    def sparse_gradient(self, w, worker, step):
        return self.keys[worker], -np.ones(len(self.keys[worker]))


@pytest.fixture(scope="module")
def processes():
    with ProcessWorld(2) as world:
        yield world


# ---- shared memory ------------------------------------------------------------------------------------------------

def fill(comm, n):
    w = shared_vector(comm, np.full(n, float(comm.rank)))
    first = w.copy()
    comm.barrier()
    w[comm.rank::comm.world_size] = np.arange(comm.rank, n, comm.world_size)
    comm.barrier()
    return first, w.copy()


def left_behind(comm=None):
    """Descriptors of shared vectors that nobody holds any more."""
    gc.collect()
    folder = "/proc/self/fd"
    found = [os.readlink(f"{folder}/{fd}") for fd in os.listdir(folder) if os.path.lexists(f"{folder}/{fd}")]
    return [name for name in found if "pslab-shared" in name]


@pytest.mark.parametrize("real", [False, True])
def test_all_ranks_have_one_vector_that_begins_with_rank_0s_values(real, processes):
    for first, end in (processes if real else SimWorld(3)).run(fill, 11).results:
        assert first.tolist() == [0.0] * 11
        assert end.tolist() == list(range(11))
    assert (processes.run(left_behind).results if real else [left_behind()]) == [[]] * (1 + real)


def test_vectors_of_different_lengths_are_refused():
    with pytest.raises(ValueError, match="of one length"):
        SimWorld(2).run(lambda comm: shared_vector(comm, np.zeros(3 + comm.rank)))
    with pytest.raises(ValueError, match="float32, float64 or int64"):
        SimWorld(1).run(lambda comm: shared_vector(comm, np.zeros(3, np.int8)))
    with pytest.raises(ValueError, match="n at least 1"):
        SimWorld(1).run(lambda comm: shared_vector(comm, np.zeros(0)))


# ---- runs ---------------------------------------------------------------------------------------------------------

def test_one_worker_is_plain_sgd_bit_for_bit_and_loses_nothing():
    w = TASK.start.copy()
    for step in range(60):
        w -= 0.5 * TASK.gradient(w, 0, step)
    with ProcessWorld(1) as world:
        runs = [run_hogwild(place, TASK, steps=60, lr=0.5) for place in (SimWorld(1), world)]
    for run in runs:
        assert np.array_equal(run.weights, w)
        assert run.losses == (TASK.loss(TASK.start), TASK.loss(w))
        assert (run.lost_share, run.lost_coordinates, run.updates) == (0.0, 0, 60)


def test_workers_that_touch_different_coordinates_lose_nothing(processes):
    run = run_hogwild(processes, Ones([[0, 2], [1, 3]]), steps=2000, lr=1.0)
    assert run.weights.tolist() == [2000.0] * 4
    assert (run.lost_share, run.moved, run.updates) == (0.0, 8000.0, 4000)


def test_what_processes_lose_is_counted_to_the_last_one(processes):
    run = run_hogwild(processes, Ones([[0, 1], [1, 2]]), steps=3000, lr=1.0)
    assert run.weights[0] == run.weights[2] == 3000
    assert 2 <= run.weights[1] <= 6000              # how many is luck: one late write can undo a thousand
    assert run.lost.tolist() == [0.0, 6000 - run.weights[1], 0.0, 0.0]
    assert run.lost_share == (6000 - run.weights[1]) / 12000


def test_processes_train_together_on_one_vector(processes):
    run = run_hogwild(processes, TASK, steps=400, lr=0.5)
    assert run.losses[1] < 0.75 * run.losses[0]
    assert run.updates == 800
    assert 0 <= run.lost_share < 0.5
    assert run.updates_per_s > 0


def test_in_step_every_second_update_of_a_shared_coordinate_is_lost_in_the_model():
    shared = Ones([[0, 1], [1, 2]])
    run = run_hogwild(SimWorld(2), shared, steps=10, lr=1.0, pace=Pace.equal(1.0), write_s=0.5)
    assert run.weights.tolist() == [10, 10, 10, 0]
    assert run.lost.tolist() == [0, 10, 0, 0]
    assert run.lost_share == 10 / 40
    assert run.lost_coordinates == 1
    assert run.seconds == 15.0
    # Without a gap between reading and writing, or when they take turns, nothing is lost
    assert run_hogwild(SimWorld(2), shared, steps=10, lr=1.0, pace=Pace.equal(1.0)).lost_share == 0
    turns = run_hogwild(SimWorld(2), shared, steps=1, lr=1.0, pace=Pace.speeds([1, 0.5]), write_s=0.5)
    assert turns.lost_share == 0
    dense = run_hogwild(SimWorld(2), Quadratic([1.0, 1.0]), steps=1, lr=0.25, pace=Pace.equal(1.0), write_s=0.5)
    assert dense.weights.tolist() == [0.75, 0.75]
    assert dense.lost.tolist() == [-0.25, -0.25]
    assert dense.lost_share == 0.5


def test_sparser_gradients_lose_less_in_the_model():
    pace = Pace.exponential(1.0, seed=1)
    shares = [run_hogwild(SimWorld(4), SparseLogistic(200, dim, 4, seed=2), steps=100, lr=0.1, pace=pace,
                          write_s=0.2).lost_share for dim in (4, 40, 400)]
    assert shares[0] > 3 * shares[1] > 9 * shares[2]
    again = run_hogwild(SimWorld(4), SparseLogistic(200, 40, 4, seed=2), steps=100, lr=0.1, pace=pace, write_s=0.2)
    assert again.lost_share == shares[1]            # the same each time


# ---- the strategy -------------------------------------------------------------------------------------------------

def line():
    """A model of five weights that is called like a recommender."""
    class Line(torch.nn.Module):
        def __init__(self):
            super().__init__()
            self.w = torch.nn.Parameter(torch.tensor([[0.5, -0.25, 0.0, 1.0, 0.125]]))

        def forward(self, dense, sparse):
            return (dense @ self.w.T)[:, 0]

    return Line()


def batches(rank, count):
    none = KeyedJaggedTensor([], torch.zeros(0, dtype=torch.int64), torch.zeros(0, dtype=torch.int64), stride=2)
    rows = torch.eye(5)
    return [Batch(rows[[(rank + t) % 5, (rank + 2 * t) % 5]], none, torch.tensor([1.0, 0.0])) for t in range(count)]


def train(comm, count, lr, warm=0):
    model = line()
    with torch.no_grad():
        model.w += comm.rank                        # all start from rank 0's
    strategy = Hogwild(comm, model.parameters(), lr, warm_up=WarmUp(warm) if warm else None)
    trainer = Trainer(model, strategy)
    begin = trainer.state_dict()["w"].numpy().copy()
    comm.barrier()
    losses = [trainer.step(batch) for batch in batches(comm.rank, count)]
    comm.barrier()
    return begin, losses, trainer.state_dict()["w"].numpy()


def test_the_strategy_alone_is_sgd_and_a_warm_up_counts():
    from pslab.train import SGD
    _, losses, w = SimWorld(1).run(train, 8, 0.5).results[0]
    alone = Trainer(line(), "single", None, SGD(0.5))
    assert np.allclose(losses, [alone.step(batch) for batch in batches(0, 8)], rtol=1e-6)
    assert np.allclose(w, alone.state_dict()["w"], rtol=1e-6)
    assert not np.allclose(SimWorld(1).run(train, 8, 0.5, 8).results[0][2], w)


def test_ranks_share_the_parameters_of_a_torch_model(processes):
    for world in (SimWorld(2), processes):
        results = world.run(train, 20, 0.25).results
        assert np.array_equal(results[0][0], results[1][0])
        assert results[0][0].tolist() == [[0.5, -0.25, 0.0, 1.0, 0.125]]
        assert np.array_equal(results[0][2], results[1][2])
        assert not np.array_equal(results[0][2], results[0][0])


class Spy:
    """An array that remembers where it was written."""

    def __init__(self, array):
        self.array, self.written = array, []

    def __getitem__(self, keys):
        return self.array[keys]

    def __setitem__(self, keys, values):
        self.written.append(keys.tolist())
        self.array[keys] = values


def test_only_coordinates_with_a_gradient_are_written():
    def program(comm):
        model = line()
        strategy = Hogwild(comm, model.parameters(), 1.0)
        strategy._values = Spy(strategy._values)
        strategy.before()
        model(torch.eye(5)[[2 * comm.rank, 3]], None).sum().backward()
        strategy.after()
        comm.barrier()
        return strategy.flat.values.numpy().copy(), strategy._values.written

    results = SimWorld(2).run(program).results
    assert [written for _, written in results] == [[[0, 3]], [[2, 3]]]
    assert results[0][0].tolist() == results[1][0].tolist() == [-0.5, -0.25, -1.0, -1.0, 0.125]


@pytest.mark.parametrize(("call", "words"), [
    (lambda: run_hogwild(SimWorld(1), TASK, steps=-1, lr=1.0), "steps=-1"),
    (lambda: SimWorld(1).run(lambda comm: Hogwild(comm, line().parameters(), -1.0)), "lr=-1.0"),
])
def test_bad_input_is_named(call, words):
    with pytest.raises(ValueError, match=words):
        call()
