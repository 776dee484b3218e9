"""Lab 6: references against torch, closed forms and counts; beliefs that differ; what the checks ask."""

import itertools
import json
import math

import numpy as np
import pytest
import torch
import torch.nn.functional as F
from scipy import stats

from pslab import exercises, ps
from pslab.comm import SimWorld
from pslab.exercises import lab6_adam, lab6_backward, lab6_bags, lab6_forward, lab6_lookup, lab6_rowwise, lab6_touched
from pslab.exercises.lab2_rows import Problem, problem
from pslab.exercises.lab6_common import SENTENCES, array, short
from pslab.exercises.lab6_programs import Operations
from pslab.grade import cases
from pslab.grade.judging import judge

LAB = ("6.1", "6.2", "6.3", "6.4", "6.5", "6.6")
BY_REFERENCE = dict(zip(LAB, ("right_index_add", "right_unique", "right_slices", "right_unique", "right_torch",
                              "right_short")))
NOTEBOOK = "lab_06_embeddings"


class Here:
    """A right answer in this process, with the programs around it."""

    def __init__(self, functions):
        self.functions = functions

    def call(self, name, *args, timeout_s=10.0):
        return self.functions[name](*args)

    def restart(self, hash_seed=None):
        pass

    def run(self, name, world_size, *args, per_rank=None, within=None, trace=True, world="sim", timeout_s=10.0):
        function = self.functions[name]

        def program(comm, *mine):
            return within(function, comm, *mine) if within else function(comm, *mine)
        run = SimWorld(world_size, trace=trace).run(program, *args, **({"per_rank": per_rank} if per_rank else {}))
        run.peak_bytes = 0
        return run


@pytest.fixture(scope="module")
def shipped(repo_root):
    """shipped("6.1") -> the functions of a right answer."""
    def load(exercise):
        folder, namespace = repo_root / "tests" / "answers" / "lab6" / f"ex_{exercise.replace('.', '_')}", {}
        exec((folder / f"{BY_REFERENCE[exercise]}.py").read_text(encoding="utf-8"), namespace)
        return namespace
    return load


def rng_of(seed):
    return np.random.default_rng(seed)


# ---- the lab as a whole ---------------------------------------------------------------------------------------------


def test_minutes_points_difficulty_and_core_are_those_of_the_course_s_table():
    lab = exercises.lab("6")
    assert tuple(e.id for e in lab) == LAB
    assert [e.points for e in lab] == [20, 25, 20, 15, 20, 10]
    assert max(e.difficulty for e in lab) == 3
    assert sum(e.minutes for e in lab if e.core) == 90
    assert sum(e.minutes for e in lab) <= 150


def test_every_exercise_has_a_hidden_check_three_hints_and_bars_the_rooms_that_would_be_the_answer():
    for e in exercises.lab("6"):
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.embedding", "pslab.ps"} <= set(e.forbidden)
        for m in e.misconceptions:
            assert SENTENCES.get(m.id, m.sentence) == m.sentence


def test_the_notebook_tells_points_minutes_and_titles_as_they_are(repo_root):
    text = (repo_root / "solutions" / "src" / f"{NOTEBOOK}.py").read_text(encoding="utf-8")
    for e in exercises.lab("6"):
        core = "core" if e.core else "optional"
        assert f"# | {e.id} | {e.title} | {e.points} | {e.minutes} | {core} |" in text
        assert f"*{e.points} points · {e.minutes} minutes · {core}" in text
        assert f'check("{e.id}", {", ".join(e.names)})' in text


SEEDS = [pytest.param(f"student {i}", marks=pytest.mark.long) for i in range(8)]


@pytest.mark.parametrize("student", SEEDS)
@pytest.mark.parametrize("exercise", LAB)
def test_right_answers_pass_whatever_the_student_s_seed(shipped, exercise, student):
    report = judge(exercises.get(exercise), Here(shipped(exercise)), *cases(exercise, student, "s"), strict=True)
    assert report.passed, report.first_failure


@pytest.mark.parametrize("exercise", ["6.2", "6.3", "6.6"])
def test_a_right_answer_passes_with_another_seed(shipped, exercise):
    e = exercises.get(exercise)
    hidden = next(c for c in e.criteria if c.hidden)
    verdict = hidden.judge(Here(shipped(exercise)), cases(exercise, "anna", "s")[1].of(hidden.name))
    assert verdict.passed, verdict


# ---- 6.1, 6.2 -------------------------------------------------------------------------------------------------------


def bags_of_all_kinds(seed):
    rng = rng_of(seed)
    for mode, weights, empty in itertools.product(("sum", "mean"), (False, True), (False, True)):
        yield lab6_bags.varied(rng, mode, weights, empty)
    yield lab6_bags.bags(rng, [0, 0, 0], mode="mean")
    yield lab6_bags.by_hand("mean")


def in_torch(b, grad_out=None):
    """torch.nn.functional.embedding_bag in float64, whose weights go with sums only: the mean divides afterwards."""
    table = torch.from_numpy(b.table).double().requires_grad_()
    weights = None if b.weights is None else torch.from_numpy(b.weights).double()
    mode = "sum" if weights is not None else b.mode
    out = F.embedding_bag(torch.from_numpy(b.ids), table, torch.from_numpy(b.offsets), mode=mode,
                          per_sample_weights=weights, include_last_offset=True)
    if b.mode == "mean" and mode == "sum":
        out = out / torch.from_numpy(b.lengths).clamp(min=1)[:, None]
    if grad_out is None:
        return out.detach().numpy()
    out.backward(torch.from_numpy(grad_out).double())
    return table.grad.numpy()


@pytest.mark.parametrize("seed", range(3))
def test_the_reference_of_bags_is_torch_s_forwards_and_backwards(seed):
    for b in bags_of_all_kinds(seed):
        assert np.allclose(lab6_bags.forward(b), in_torch(b), rtol=1e-12, atol=1e-12), str(b)
        assert np.allclose(lab6_forward._pooled_sums(b) if b.weights is None and b.mode == "sum" else in_torch(b),
                           in_torch(b), rtol=1e-9, atol=1e-9)
        grad_out = lab6_backward.drawn(rng_of(seed), b)
        unique, rows = lab6_bags.backward(b, grad_out)
        dense = np.zeros(b.table.shape)
        dense[unique] = rows
        assert np.allclose(dense, in_torch(b, grad_out), rtol=1e-12, atol=1e-12), str(b)
        again, quotients = lab6_bags.by_differences(b, grad_out)
        assert np.array_equal(unique, again)
        assert np.allclose(rows, quotients, rtol=1e-9, atol=1e-9)


def test_the_student_s_bag_passes_torch_s_gradcheck(shipped):
    forward, backward = shipped("6.1")["bag_forward"], shipped("6.2")["bag_backward"]
    for b in (lab6_bags.varied(rng_of(4), mode, True, True, R=6, D=2, dtype=np.float64) for mode in ("sum", "mean")):
        class Bag(torch.autograd.Function):
            @staticmethod
            def forward(ctx, table, b=b):
                return forward(table, *b.forward_arguments()[1:])

            @staticmethod
            def backward(ctx, grad_out, b=b):
                unique, rows = backward(grad_out.clone(), *b.forward_arguments()[1:])
                return torch.zeros(b.table.shape, dtype=torch.float64).index_add_(0, unique, rows), None
        assert torch.autograd.gradcheck(Bag.apply, torch.from_numpy(b.table).requires_grad_())


def test_every_slip_of_bags_shows_in_some_problem():
    problems = [*bags_of_all_kinds(5), lab6_bags.by_hand("sum")]
    for slip in lab6_forward.EXPLAINED.values():
        assert any(not np.allclose(lab6_bags.forward(b, slip), lab6_bags.forward(b)) for b in problems), slip
    for slip in (*lab6_backward.EXPLAINED.values(), "first-wins"):
        apart = []
        for b in problems:
            grad_out = lab6_backward.drawn(rng_of(1), b)
            apart.append(not np.allclose(lab6_bags.backward(b, grad_out, slip)[1], lab6_bags.backward(b, grad_out)[1]))
        assert any(apart), slip


def test_operations_are_counted_and_torch_s_bag_is_noted():
    with Operations() as counted:
        torch.zeros(3).add_(1)
    assert (counted.count, counted.library) == (2, "")
    with Operations() as counted:
        F.embedding_bag(torch.tensor([0, 1]), torch.ones(2, 2), torch.tensor([0]))
    assert counted.library == "embedding_bag"


def test_values_of_any_kind_are_read_and_told_on_one_line():
    assert array([1, 2]).tolist() == [1, 2]
    assert array("ab") is None
    assert array(None) is None
    assert array([[1], [2, 3]]) is None
    assert short(np.array([1.0, 2.5])) == "[1, 2.5]"
    assert "shape (40,)" in short(torch.zeros(40))
    assert len(short("x" * 500)) == 90


# ---- 6.3 ------------------------------------------------------------------------------------------------------------


def test_the_bytes_of_the_worked_example_are_the_link_s(shipped):
    p = lab6_lookup.by_hand()
    run = lab6_lookup.run_of(Here(shipped("6.3")), p)
    assert [run.ledger.link(0, owner) for owner in (2, 3)] == [16, 8]
    assert [run.ledger.link(owner, 0) for owner in (2, 3)] == [16, 8]
    assert lab6_lookup._links(p, run) is None
    assert lab6_lookup.wrong_rows(p, run) is None


@pytest.mark.parametrize("seed", range(3))
def test_look_ups_hold_the_cases_that_matter(seed):
    p = lab6_lookup.lookup(rng_of(seed), 2, 3, 12)
    assert all(len(np.unique(ids)) < len(ids) for ids in p.ids)
    assert p.cuts[0] == 0
    assert p.cuts[-1] == len(p.table)
    assert sum(len(p.of(w, s)) for w in range(2) for s in range(3)) == sum(map(len, p.ids))
    q = lab6_lookup.lookup(rng_of(seed), 2, 3, 12, none=True)
    assert len(q.ids[1]) == 0
    assert q.unique(0, 0) == 0


# ---- 6.4 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", lab6_rowwise.SETTINGS)
def test_the_reference_of_row_wise_adagrad_is_the_server_s_and_on_one_column_torch_s(settings):
    p = problem(rng_of(1), **settings)
    rule, state = ps.RowWiseAdaGrad(lr=settings["lr"], eps=settings["eps"]), np.zeros((len(p.table), 1))
    rows = p.table.astype(np.float64)
    for ids, grads in p.pushes:
        busy, inverse = np.unique(ids, return_inverse=True)
        g = np.zeros((len(busy), rows.shape[1]))
        np.add.at(g, inverse, grads)
        state[busy] += (g * g).mean(1, keepdims=True)
        rows[busy] -= rule.lr * g / (np.sqrt(state[busy]) + rule.eps)
    assert np.allclose(rows, lab6_rowwise.after(p, **settings), rtol=0, atol=1e-12)
    one = problem(rng_of(2), D=1, **settings)
    table = torch.nn.Parameter(torch.from_numpy(one.table).double())
    optimizer = torch.optim.Adagrad([table], **settings)
    for ids, grads in one.pushes:
        table.grad = torch.zeros_like(table).index_add_(0, torch.from_numpy(ids), torch.from_numpy(grads).double())
        optimizer.step()
    assert np.allclose(table.detach().numpy(), lab6_rowwise.after(one, **settings), rtol=0, atol=1e-9)


def test_the_closed_form_is_the_reference_and_the_example_s_numbers():
    grads = rng_of(3).standard_normal((4, 3)).astype(np.float32)
    p = Problem(np.ones((4, 3), np.float32), [(np.arange(4), grads)] * 20, {"lr": 0.03, "eps": 1e-3})
    assert np.allclose(lab6_rowwise.golden(p.table, grads, 20, 0.03, 1e-3), lab6_rowwise.after(p, **p.settings))
    numbers = [lab6_rowwise.golden(np.ones((1, 2)), np.array([[3.0, 4.0]]), t, 0.1, 0.0)[0] for t in (1, 2)]
    assert np.round(numbers, 4).tolist() == [[0.9151, 0.8869], [0.8551, 0.8069]]


def test_every_slip_of_a_row_rule_shows_ten_times_over():
    problems = [problem(rng_of(1), steps=30, **settings) for settings in lab6_rowwise.SETTINGS]
    for slip in lab6_rowwise.SLIPS:
        with np.errstate(all="ignore"):
            apart = [np.abs(lab6_rowwise.after(p, slip, **p.settings) - lab6_rowwise.after(p, **p.settings)).max()
                     for p in problems]
        assert not max(apart) <= 10 * lab6_rowwise.SEEN_AT, slip


# ---- 6.5 ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("settings", lab6_adam.SETTINGS)
def test_the_references_of_adam_are_torch_s(settings):
    p = problem(rng_of(1), steps=60, **settings)
    betas = {"lr": settings["lr"], "betas": (settings["beta1"], settings["beta2"]), "eps": settings["eps"]}
    for lazy, maker in ((False, torch.optim.Adam), (True, torch.optim.SparseAdam)):
        table = torch.nn.Parameter(torch.from_numpy(p.table).double())
        optimizer = maker([table], **betas)
        for ids, grads in p.pushes:
            sparse = torch.sparse_coo_tensor(torch.from_numpy(ids)[None], torch.from_numpy(grads).double(), table.shape)
            table.grad = sparse.coalesce() if lazy else sparse.to_dense()
            optimizer.step()
        assert np.allclose(table.detach().numpy(), lab6_adam.after(p, lazy, **settings), rtol=0, atol=1e-9), lazy


def test_every_slip_of_adam_shows():
    problems = [problem(rng_of(1), steps=20, **settings) for settings in lab6_adam.SETTINGS]
    for lazy, slips in ((False, lab6_adam.DENSE_SLIPS), (True, lab6_adam.LAZY_SLIPS)):
        for slip in slips:
            with np.errstate(all="ignore"):
                apart = max(np.abs(lab6_adam.after(p, lazy, slip, **p.settings) - lab6_adam.after(p, lazy, **p.settings)
                                   ).max() for p in problems)
            assert not apart <= 10 * lab6_adam.SEEN_AT, (lazy, slip)


def moved_by_torch(batches, R):
    """Rows that torch.optim.Adam moves in each step though they are not in its batch."""
    table = torch.nn.Parameter(torch.linspace(0.5, 1.5, R, dtype=torch.float64)[:, None].clone())
    optimizer, moved = torch.optim.Adam([table], lr=0.01), []
    for batch in batches:
        before, ids = table.detach().clone(), torch.from_numpy(batch)
        table.grad = torch.zeros_like(table).index_add_(0, ids, torch.ones(len(ids), 1, dtype=torch.float64))
        optimizer.step()
        changed = (table.detach() != before).any(dim=1)
        changed[ids] = False
        moved.append(int(changed.sum()))
    return moved


def test_rows_that_move_are_counted_and_every_belief_differs(shipped):
    asked = lab6_adam.streams(rng_of(2))
    counted = [lab6_adam.counted(*question) for question in asked]
    assert counted == [moved_by_torch(*question) for question in asked]
    assert counted[0] == [0, 1, 2]
    own = shipped("6.5")["moved_untouched"]
    assert counted == [own([torch.from_numpy(batch) for batch in batches], R) for batches, R in asked]
    for why, belief in lab6_adam.BELIEFS.items():
        assert [belief(*question) for question in asked] != counted, why


# ---- 6.6 ------------------------------------------------------------------------------------------------------------


def test_the_expectation_is_the_mean_over_all_batches_there_are():
    p = np.array([0.5, 0.2, 0.2, 0.1])
    for B in (1, 2, 4):
        exact = sum(math.prod(p[list(batch)]) * len(set(batch)) for batch in itertools.product(range(4), repeat=B))
        assert lab6_touched.expectation(p, B) == pytest.approx(exact, rel=1e-12)
        for why, belief in lab6_touched.EXPECTED_BELIEFS.items():
            assert B == 1 or abs(belief(p, B) - exact) > 1e-3, why
    assert lab6_touched.expectation([1.0], 5) == 1


def test_standard_errors_are_those_of_a_t_test():
    counts = rng_of(1).integers(3, 9, 30)
    assert lab6_touched.sigmas_of(counts, 5.5) == pytest.approx(stats.ttest_1samp(counts, 5.5).statistic, rel=1e-12)
    hand = [lab6_touched.sigmas_of([3, 5, 4, 6, 7], 6, slip) for slip in ("", "population", *lab6_touched.SIGMA_SLIPS)]
    assert hand[0] == pytest.approx(-math.sqrt(2))
    assert len({round(value, 4) for value in hand}) == len(hand)


def test_draws_are_within_their_sigmas_and_bursts_are_not():
    p, B = lab6_touched.zipf_shares(2_000, 1.1), 64
    expected = lab6_touched.expectation(p, B)
    off = [lab6_touched.sigmas_of(lab6_touched.distinct(lab6_touched.drawn(rng_of(seed), p, 60 * B), B), expected)
           for seed in range(40)]
    assert max(map(abs, off)) < 4
    assert np.std(off) == pytest.approx(1, abs=0.35)
    assert lab6_touched.sigmas_of(lab6_touched.distinct(lab6_touched.bursts(rng_of(1), p, 60 * B), B), expected) < -20


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / f"{NOTEBOOK}.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_an_untouched_lab_says_not_yet_and_shows_no_prediction(repo_root):
    lab = cells(repo_root, "labs")
    checks = [cell for cell in lab if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]
    shown = [cell for cell in lab if "reveal(" in "".join(cell["source"]) and "import" not in "".join(cell["source"])]
    assert len(shown) == 2
    assert not any(cell["outputs"] for cell in shown)
