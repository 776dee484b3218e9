"""Lab 0B: its references against other sources of the same truth, and the cases that students are asked."""

import textwrap

import numpy as np
import pytest
import torch

from pslab import exercises
from pslab.collectives import ddp
from pslab.collectives.compress import ErrorFeedback, TopK
from pslab.comm import ProcessWorld, SimWorld
from pslab.exercises import lab0b_all_to_all, lab0b_hook, lab0b_overlap, lab0b_programs, lab0b_top_k
from pslab.grade import Case, cases
from pslab.grade.box import Box, Source
from pslab.grade.contracts.values import wrong_rank
from pslab.grade.judging import verdict_of

HIDDEN = {"0B.1": "other ranks, other parts", "0B.2": "other gradients", "0B.3": "more ranks, another model",
          "0B.4": "other layers"}
RIGHT = {"0B.1": "right_pairs_in_turn", "0B.2": "right_sorted", "0B.3": "right_divides_first",
         "0B.4": "right_into_buffers"}


def case(seed):
    return Case(seed)


def test_points_minutes_and_core_are_those_of_the_course():
    table = {e.id: (e.points, e.minutes, e.core) for e in exercises.lab("0B")}
    assert table == {"0B.1": (20, 25, True), "0B.2": (25, 45, False), "0B.3": (25, 35, True), "0B.4": (20, 30, False)}
    assert all(len(e.hints) == 3 for e in exercises.lab("0B"))


def test_the_notebook_tells_points_minutes_and_titles_as_they_are(repo_root):
    text = (repo_root / "solutions" / "src" / "lab_00b_collectives_at_work.py").read_text(encoding="utf-8")
    for e in exercises.lab("0B"):
        core = "core" if e.core else "optional"
        assert f"# | {e.id} | {e.title} | {e.points} | {e.minutes} | {core} |" in text
        assert f"*{e.points} points · {e.minutes} minutes · {core}" in text
        assert f'check("{e.id}", {", ".join(e.names)})' in text


@pytest.mark.parametrize("exercise", sorted(HIDDEN))
def test_a_right_answer_passes_whatever_the_student_s_seed(repo_root, exercise):
    folder = repo_root / "tests" / "answers" / "lab0b" / f"ex_{exercise.lower().replace('.', '_')}"
    e = exercises.get(exercise)
    criterion = next(c for c in e.criteria if c.name == HIDDEN[exercise])
    with Box(Source.of_text((folder / f"{RIGHT[exercise]}.py").read_text()), preload=e.preload) as answers:
        for student in ("ann", "ben", "eve"):
            verdict = verdict_of(criterion, e, answers, cases(exercise, student, "a secret")[1], strict=True)
            assert verdict.passed, (student, verdict)


# ---- 0B.1 -----------------------------------------------------------------------------------------------------------


def test_parts_are_uneven_empty_for_a_rank_and_of_several_kinds():
    trials = list(lab0b_all_to_all.uneven_trials(case(3)))
    sizes = [np.array(trial.facts["sizes"]) for trial in trials]
    assert {trial.K for trial in trials} == {1, 2, 3, 5, 7}
    assert any((s[1] == 0).all() and (s[:, 2] == 0).all() and s.sum() for s in sizes if len(s) > 2)
    assert any(not s.any() for s in sizes)
    assert {trial.facts["parts"][0][0].dtype for trial in trials} == {torch.float32, torch.int64}
    assert {trial.facts["parts"][0][0].dim() for trial in trials} == {1, 2}
    for trial in trials:
        flat = torch.cat([part.reshape(-1) for part in trial.facts["parts"][0]])
        assert flat.tolist() == [j * trial.K for j in range(len(flat))]
        assert all(torch.equal(trial.expected[q][r], trial.facts["parts"][r][q])
                   for q in range(trial.K) for r in range(trial.K))


@pytest.mark.parametrize("seed", range(5))
def test_every_belief_about_all_to_all_shows_on_some_trial(seed):
    trials = [*lab0b_all_to_all.equal_trials(case(seed)), *lab0b_all_to_all.uneven_trials(case(seed))]
    for name, belief in lab0b_all_to_all.EXPLAINS.items():
        assert any(wrong_rank(trial, belief(trial)) for trial in trials), name


# ---- 0B.2 -----------------------------------------------------------------------------------------------------------


def test_places_are_those_of_the_kit_s_top_k():
    from pslab.collectives.compress.top_k import largest
    rng = np.random.default_rng(1)
    for _ in range(200):
        x = rng.integers(-4, 5, rng.integers(0, 12)).astype(np.float32)
        k = int(rng.integers(1, 6))
        assert lab0b_top_k.places(x, k).tolist() == largest(x, k).tolist()


def kits_own(comm, mine, k):
    """The kit's error feedback over the same steps: what came back, and what is owed."""
    feedback, sums = ErrorFeedback(TopK(k=k)), []
    for step in mine:
        sums.append({name: feedback.exchange(comm, name, gradient)[0] for name, gradient in step.items()})
    return sums, {name: feedback.residual(comm, name) for name in step}


@pytest.mark.parametrize(("K", "lengths", "k"), [(1, {"w": 7, "v": 7}, 2), (3, {"w": 9, "b": 2}, 3), (4, {"w": 5}, 1)])
def test_the_reference_is_the_kit_s_error_feedback_and_nothing_is_lost(K, lengths, k):
    p = lab0b_top_k.problem(np.random.default_rng(K), K, lengths, k)
    sums, kept = lab0b_top_k.exchanged(p)
    run = SimWorld(K).run(kits_own, per_rank=p.per_rank())
    for name in lengths:
        for rank, (mine, owed) in enumerate(run.results):
            assert np.array_equal(owed[name], kept[rank, name])
            assert all(np.array_equal(mine[t][name], sums[t][name][rank]) for t in range(lab0b_top_k.STEPS))
        everything = sum(step[name] for mine in p.grads for step in mine)
        sent = sum(step[name][0] for step in sums)
        assert np.array_equal(sent + sum(kept[rank, name] for rank in range(K)), everything)


@pytest.mark.parametrize("seed", range(4))
def test_every_slip_of_error_feedback_shows_in_the_public_problems(seed):
    rng = np.random.default_rng(seed)
    alone = lab0b_top_k.problem(rng, 1, {"w": 7, "v": 7}, 2)
    pair = lab0b_top_k.problem(rng, 2, {"w": 7, "v": 7}, 2)
    for slip in lab0b_top_k.SLIPS:
        differ = [not lab0b_top_k._equal(p, lab0b_top_k.exchanged(p, slip)[0], lab0b_top_k.exchanged(p)[0])
                  for p in (alone, pair)]
        assert any(differ), slip


def test_a_descent_that_fails_for_wrong_sums_is_told_as_those(repo_root):
    e = exercises.get("0B.2")
    criterion = next(c for c in e.criteria if c.name == "a descent that arrives")
    unsigned = """
        import torch

        def sparse_sum(comm, name, gradient, k, residuals):
            corrected = gradient + residuals.get(name, 0)
            sent = torch.zeros_like(corrected)
            at = torch.topk(corrected.abs(), min(k, len(corrected))).indices
            sent[at] = corrected[at].abs()
            residuals[name] = corrected - sent
            work = comm.isend(sent, 1 - comm.rank) if comm.world_size == 2 else None
            return sent if work is None else sent + comm.recv(1 - comm.rank)
        """
    with Box(Source.of_text(textwrap.dedent(unsigned)), preload=e.preload) as answers:
        verdict = verdict_of(criterion, e, answers, cases("0B.2", "ann", "a secret")[0], strict=True)
    assert not verdict.passed
    assert verdict.expected == "the sum over all workers of what they sent"
    assert verdict.misconception != "0B/does-not-arrive"


@pytest.mark.parametrize("seed", range(4))
def test_the_descent_arrives_with_residuals_only(seed):
    start, targets = lab0b_top_k.pulled_apart(np.random.default_rng(seed))
    goal, how = np.mean(targets, axis=0), lab0b_top_k.DESCENT
    far = np.linalg.norm(start - goal)
    assert np.linalg.norm(lab0b_top_k.descent(start, targets, **how)[-1] - goal) < 0.15 * far
    assert np.array_equal(lab0b_top_k.descent(start, targets, **how, keeps=False)[-1], start)


# ---- 0B.3 -----------------------------------------------------------------------------------------------------------


HOW = (5, 8, 31, 0.02, 20)


def stock(comm, K, folder, seed, width, head, lr, steps):
    """Losses and parameters of DistributedDataParallel as it comes, over Gloo, on the first K ranks."""
    from torch.nn.parallel import DistributedDataParallel

    group = comm.split(0 if comm.rank < K else None)
    if group is None:
        return None

    def train():
        model, losses = lab0b_programs.model_of(seed, width, head), []
        wrapped = DistributedDataParallel(model, bucket_cap_mb=0.001)
        for step in range(steps):
            loss = lab0b_programs.loss_of(wrapped, seed, step, group.rank, width)
            loss.backward()
            lab0b_programs.descend(model, lr)
            losses.append(loss.item())
        return losses, torch.cat([p.detach().reshape(-1) for p in model.parameters()])

    return ddp.run_in_group(group, train, folder=folder)


def test_the_reference_is_stock_ddp_bit_for_bit_at_two_and_to_1e_5_at_three(tmp_path):
    with ProcessWorld(3) as world:
        for K in (2, 3):
            folder = tmp_path / str(K)
            folder.mkdir()
            run = world.run(stock, K, str(folder), *HOW)
            right = lab0b_hook.plain_training(K, *HOW, lab0b_hook.mean)
            for (losses, parameters), mine in zip(run.results[:K], right):
                assert len(losses) == 20
                if K == 2:
                    assert losses == mine["losses"]
                    assert torch.equal(parameters, mine["parameters"])
                assert losses == pytest.approx(mine["losses"], rel=1e-5)
                assert torch.allclose(parameters, mine["parameters"], rtol=1e-5, atol=1e-6)


def test_each_wrong_way_to_combine_moves_the_first_losses():
    for K in (2, 3):
        def losses(combine, K=K):
            return [mine["losses"] for mine in lab0b_hook.plain_training(K, *HOW[:-1], lab0b_hook.FIRST, combine)]
        right = losses(lab0b_hook.mean)
        for name, (combine, *_) in lab0b_hook.SLIPS.items():
            same = np.allclose(losses(combine), right, rtol=1e-3, atol=1e-4)
            assert same == (name == "0B/constant-k" and K == 2), (name, K)


def test_the_model_has_a_tied_and_a_frozen_layer_and_several_buckets():
    model = lab0b_programs.model_of(1, 8, 31)
    assert model.last.weight is model.first.weight
    assert not model.frozen.weight.requires_grad
    trial, = lab0b_hook.PUBLIC.on(case(1), lambda t: t.K == 2)
    assert lab0b_hook.trained(trial) == 8 * 8 + 8 + 8 + 31 * 8 + 31


SPY = """
import torch
import torch.distributed as dist

SEEN = []

def ring_hook(comm, bucket):
    SEEN.append((bucket.index(), bucket.is_last(), bucket.buffer().numel(), len(bucket.parameters()),
                 dist.is_initialized(), type(bucket).__name__))
    future = torch.futures.Future()
    future.set_result(bucket.buffer())
    return future

def seen():
    return SEEN
"""


def test_it_is_torch_s_own_ddp_that_calls_the_hook_and_no_group_is_visible():
    with Box(Source.of_text(SPY), preload=("torch._dynamo",)) as answers:
        run = answers.run("ring_hook", 1, *HOW[:4], 3, 0.001, within=lab0b_programs.ddp_training)
        seen = answers.call("seen")
    assert {kind for *_, kind in seen} == {"GradBucket"}
    assert not any(group for *_, group, _ in seen)
    assert [n for _, _, n, *_ in seen] == run.results[0]["buckets"]
    assert sum(last for _, last, *_ in seen) == 3                       # one last bucket a step
    assert len(seen) > 3                                                # and more than one bucket in a step
    assert sum(parameters for *_, parameters, _, _ in seen) == 3 * 5    # tied ones once, frozen ones never


# ---- 0B.4 -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("seed", range(4))
def test_the_time_asked_for_lies_between_the_larger_part_and_the_sum(seed):
    trials = [*lab0b_overlap.trials(case(seed)), *lab0b_overlap.hidden_trials(case(seed))]
    for trial in trials:
        layers = trial.facts["layers"]
        computing = sum(seconds for seconds, _ in layers)
        moving = sum(lab0b_overlap.LINK.port_s(4 * P) for _, P in layers)
        T = lab0b_overlap.seconds(layers)
        assert max(computing, moving) < T <= computing + moving + 1e-12
        if len(layers) > 1:
            assert lab0b_overlap.one_after_the_other(layers) > T
    assert lab0b_overlap.seconds(trials[0].facts["layers"]) == pytest.approx(
        sum(s for s, _ in trials[0].facts["layers"]) + lab0b_overlap.LINK.port_s(4 * trials[0].facts["layers"][-1][1]))


def test_the_worked_example():
    assert lab0b_overlap.seconds([(10e-6, 100), (10e-6, 100)]) == pytest.approx(30.8e-6)
    assert lab0b_overlap.one_after_the_other([(10e-6, 100), (10e-6, 100)]) == pytest.approx(40.8e-6)


def test_every_belief_about_overlapped_sums_shows_on_some_trial():
    trials = list(lab0b_overlap.trials(case(1)))
    for name, belief in lab0b_overlap.EXPLAINS.items():
        assert any(wrong_rank(trial, belief(trial)) for trial in trials), name
