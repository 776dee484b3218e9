"""9.3: the reference against autograd, the problems against what they promise, the bounds against shipped answers."""

import itertools

import numpy as np
import pytest
import torch
from direct_answers import Direct

from pslab import exercises
from pslab.exercises import lab9_combine, lab9_combine_checks
from pslab.exercises.lab9_combine import by_hand, problem, slip, taller, updated
from pslab.grade import cases
from pslab.grade.judging import judge

REPEATED = {"K": 3, "V": 15, "D": 2, "looks": 7, "twice": True}


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped('right_ring') -> that answer's functions, in this process: they are the course's own."""
    def load(name):
        namespace = {}
        folder = repo_root / "tests" / "answers" / "lab9" / "ex_9_3"
        exec((folder / "right_root.py").read_text(), namespace)
        exec((folder / f"{name}.py").read_text(), namespace)
        return namespace
    return load


def by_autograd(p):
    """One step of gradient descent, rate 1, on the mean over workers of sum(grads · looked-up rows)."""
    table = torch.from_numpy(p.table.astype(np.float64)).requires_grad_()
    losses = [(table[torch.from_numpy(ids)] * torch.from_numpy(grads).double()).sum()
              for ids, grads in zip(p.ids, p.grads)]
    (sum(losses) / p.K).backward()
    return (table - table.grad).detach().numpy()


@pytest.mark.parametrize("how", [{"twice": True}, {"empty": True}, {"whole": False}, {}])
def test_the_reference_is_a_step_on_the_mean_loss(how):
    for K, V, D in ((1, 5, 1), (3, 11, 4), (5, 40, 2)):
        p = problem(np.random.default_rng(K), K=K, V=V, D=D, **how)
        np.testing.assert_allclose(updated(p), by_autograd(p), rtol=1e-6, atol=1e-6)


def test_the_case_by_hand_is_the_one_in_the_text():
    assert updated(by_hand())[:, 0].tolist() == [10, 14, 30, 37]
    assert "14, 37" in exercises.get("9.3").example


def test_problems_are_exact_in_float32_and_hold_what_they_promise():
    for seed in range(4):
        p = problem(np.random.default_rng(seed), **REPEATED)
        for ids, grads in zip(p.ids, p.grads):
            assert len(np.unique(ids)) < len(ids)
            assert (grads % p.K == 0).all()
            assert np.abs(grads).max() * len(ids) * p.K < 2**24
        assert any((np.diff(ids) < 0).any() for ids in p.ids)
        everybody = set.intersection(*(set(ids.tolist()) for ids in p.ids))
        assert everybody
        assert len(problem(np.random.default_rng(seed), K=3, V=11, D=4, looks=4, empty=True).ids[0]) == 0


def test_a_taller_table_has_the_same_look_ups():
    p = problem(np.random.default_rng(0), **REPEATED)
    tall = taller(p, 10)
    assert (tall.V, tall.unique) == (10 * p.V, p.unique)
    np.testing.assert_array_equal(updated(tall)[: p.V], updated(p))


def test_every_slip_is_told_from_every_other_and_from_the_truth():
    p = problem(np.random.default_rng(1), K=7, V=15, D=2, looks=7, twice=True)
    tables = {}
    for name, step in lab9_combine.STEPS:
        table = (p.table - step(p)).astype(np.float32)
        assert not np.allclose(table, updated(p)), name
        assert slip(p, table) == name
        tables.setdefault(name, []).append(table)
    for (one, first), (other, second) in itertools.combinations(tables.items(), 2):
        assert not any(np.allclose(a, b) for a in first for b in second), (one, other)
    assert slip(p, p.table + 1) == "9/wrong-table"


@pytest.mark.parametrize("student", [f"student-{i}" for i in range(6)])
@pytest.mark.parametrize("answer", ["right_root", "right_ring"])
def test_right_answers_pass_whatever_the_student_s_seed(shipped, answer, student):
    report = judge(exercises.get("9.3"), Direct(shipped(answer)), *cases("9.3", student, "s"), strict=True)
    assert report.passed, report.first_failure


def verdict(name, functions):
    criterion = next(c for c in exercises.get("9.3").criteria if c.name == name)
    return criterion.judge(Direct(functions), cases("9.3")[0].of(name))


def test_the_bounds_of_bytes_are_met_exactly_by_a_right_answer(shipped):
    sparse, dense = (verdict(f"bytes of the {way} combine", shipped("right_root")) for way in ("sparse", "dense"))
    assert (sparse.passed, sparse.ratio) == (True, 1.0)
    assert (dense.passed, dense.ratio) == (True, 1.0)


def test_a_mailbox_is_below_the_lower_bound_and_says_by_how_much(shipped):
    found = verdict("bytes of the sparse combine", shipped("wrong_global_mailbox"))
    assert not found.passed
    assert found.ratio < 0.1
    assert found.expected.startswith("at least")


def test_every_dense_excess_is_told_as_a_ratio(shipped):
    ratios = {name: verdict("bytes of the dense combine", shipped(name)).ratio
              for name in ("wrong_dense_everyone_to_everyone", "wrong_dense_leaves_out_zeros")}
    assert ratios["wrong_dense_everyone_to_everyone"] == 2.0                  # K(K-1) of 2(K-1) at K = 4
    assert 0 < ratios["wrong_dense_leaves_out_zeros"] < 1


def test_what_comes_back_in_another_form_is_told_and_stops_nothing(shipped):
    good = shipped("right_root")
    for value in (None, 3, "table", [1, 2], torch.zeros(2), {"rows": 1}):
        def sparse(comm, ids, grads, table, value=value):
            result = good["combine_sparse"](comm, ids, grads, table)
            return value if comm.rank == comm.world_size - 1 else result
        found = verdict("the case done by hand", {**good, "combine_sparse": sparse})
        assert (found.passed, found.misconception) == (False, "all/bad-value")

        def workers(comm, ids, grads, table, value=value):
            result = good["combine_sparse"](comm, ids, grads, table)
            return result if comm.rank == comm.world_size - 1 else value
        found = verdict("the case done by hand", {**good, "combine_sparse": workers})
        assert not found.passed


def test_a_row_that_nobody_touched_must_not_move(shipped):
    good = shipped("right_root")

    def drifting(comm, ids, grads, table):
        result = good["combine_sparse"](comm, ids, grads, table)
        if comm.rank == comm.world_size - 1:
            result[0] *= 1 + 2**-20
        return result
    found = verdict("the case done by hand", {**good, "combine_sparse": drifting})
    assert (found.passed, found.misconception) == (False, "9/wrong-table")


def test_a_replica_that_differs_in_one_bit_is_found(shipped):
    good = shipped("right_root")

    def drifting(comm, ids, grads, table):
        result = good["combine_dense"](comm, ids, grads, table)
        return torch.nextafter(result, torch.tensor(torch.inf)) if comm.rank == 1 else result
    found = verdict("the case done by hand", {**good, "combine_dense": drifting})
    assert not found.passed
    assert found.where == "combine_dense: the table of worker 1"


def test_links_between_workers_are_no_way_round_the_server(shipped):
    good = shipped("right_root")

    def chatty(comm, ids, grads, table):
        if comm.rank == 0:
            comm.send(torch.zeros(4_000), 1)
        if comm.rank == 1:
            comm.recv(0)
        return good["combine_sparse"](comm, ids, grads, table)
    found = verdict("bytes of the sparse combine", {**good, "combine_sparse": chatty})
    assert (found.passed, found.misconception) == (False, "9/rows-go-to-the-owner")


def test_memory_is_judged_by_growth(shipped, monkeypatch):
    class Growing(Direct):
        tables = 0.0

        def run(self, *args, per_rank=None, **how):
            run = super().run(*args, per_rank=per_rank, **how)
            run.peak_bytes = int(10**7 + self.tables * per_rank[-1][2].numel() * 4)
            return run
    judged = lab9_combine_checks.sparse_memory
    answers = Growing(shipped("right_root"))
    for tables, passes in ((0, True), (1, True), (2, False)):
        answers.tables = tables
        found = judged(answers, cases("9.3")[0])
        assert found.passed == passes
    assert found.misconception == "9/table-sized-scratch"
