"""Lab 10: references against torch and pslab.cost, beliefs that differ, judges that name what they see."""

import json

import numpy as np
import pytest
import torch

from pslab import exercises
from pslab.comm import SimWorld
from pslab.exercises import (
    lab10_beat,
    lab10_hot,
    lab10_interaction,
    lab10_lookup,
    lab10_net,
    lab10_reference,
    lab10_rivals,
    lab10_step,
)
from pslab.exercises.lab7_lookup_trials import trials
from pslab.grade import Case
from pslab.models.dlrm import dot_interaction

LAB = ("10.1", "10.2", "10.3", "10.4", "10.5")


def rng_of(seed):
    return np.random.default_rng(seed)


def small(K=3, steps=5, seed=0):
    rng = rng_of(seed)
    return lab10_reference.make(rng, "small", K, lab10_step.unequal(rng, K), steps)


def test_minutes_points_difficulty_and_core():
    lab = exercises.lab("10")
    assert tuple(e.id for e in lab) == LAB
    assert [e.points for e in lab] == [20, 35, 40, 20, 40]
    assert [e.id for e in lab if e.core] == ["10.1", "10.2", "10.3"]
    assert sum(e.minutes for e in lab if e.core) < 150
    assert sum(e.minutes for e in lab) < 240
    for e in lab:
        assert e.hidden == 1
        assert len(e.hints) == 3
        assert {"pslab.models", "pslab.embedding", "pslab.ps", "pslab.train", "pslab.cost"} <= set(e.forbidden)


def test_a_sentence_of_several_exercises_is_the_same_in_all_where_it_is_shared():
    told = [e.sentence("10/by-a-side-door") for e in exercises.lab("10") if e.id in ("10.2", "10.3", "10.5")]
    assert len(set(told)) == 1


# ---- 10.1 -----------------------------------------------------------------------------------------------------------


def test_the_interaction_by_pairs_is_the_models_and_its_gradients_are_autograd_s():
    dense, bags, weights = lab10_interaction.problem(rng_of(0), 3, 4, 2, whole=False)
    leaves = [torch.from_numpy(x).requires_grad_() for x in (dense, bags)]
    out = dot_interaction(*leaves)
    assert np.allclose(out.detach().numpy(), lab10_interaction.interaction(dense, bags))
    assert torch.autograd.gradcheck(dot_interaction, leaves)
    (out * torch.from_numpy(weights)).sum().backward()
    for leaf, grad in zip(leaves, lab10_interaction.gradients(dense, bags, weights, "DLRM")):
        assert np.allclose(leaf.grad.numpy(), grad)


def test_the_upper_triangle_is_torchrec_s_order():
    assert lab10_interaction.pairs(4, "TorchRec") == [(1, 0), (2, 0), (3, 0), (2, 1), (3, 1), (3, 2)]
    i, j = torch.triu_indices(4, 4, offset=1).tolist()
    assert lab10_interaction.pairs(4, "TorchRec") == list(zip(j, i))


def test_no_belief_about_pairs_is_the_right_answer():
    dense, bags, _ = lab10_interaction.problem(rng_of(1), 3, 4, 2)
    right = [lab10_interaction.interaction(dense, bags, order) for order in lab10_interaction.ORDERS]
    for why, values in lab10_interaction.beliefs(dense, bags).items():
        assert values, why
        assert not any(a.shape == b.shape and np.allclose(a, b) for a in values for b in right), why


# ---- 10.2 -----------------------------------------------------------------------------------------------------------


def test_gradients_of_parts_are_those_of_one_table_and_slips_are_others():
    for trial in trials(rng_of(0)):
        table = torch.zeros(trial.R, trial.D, dtype=torch.float64, requires_grad=True)
        for rank in range(trial.K):
            for ids, grad in zip(trial.batches[rank], trial.grads[rank]):
                weights = torch.from_numpy(lab10_lookup.weight(grad, True))
                (table[torch.from_numpy(ids.astype(np.int64))] * weights).sum().backward()
        whole = range(len(trial.batches[0]))
        for owner in range(trial.K):
            assert np.allclose(lab10_lookup.summed(trial, owner, whole), table.grad[owner::trial.K].numpy(), rtol=1e-12)
    made = {how: str([lab10_lookup.summed(trial, owner, [0], how).tolist() for trial in trials(rng_of(0))
                      for owner in range(trial.K)]) for how in ("", *lab10_lookup.SLIPS)}
    assert len(set(made.values())) == len(made)


# ---- 10.3 -----------------------------------------------------------------------------------------------------------


def test_the_reference_is_one_process_with_torch_s_optimizer_on_the_global_batch():
    trial = small()
    leaves = [torch.nn.Parameter(flat.clone()) for flat in (*trial.dense, trial.table)]
    optimizer = torch.optim.SGD(leaves, lr=trial.lr)
    made = lab10_reference.simulated(trial)
    for t, step in enumerate(trial.batches):
        x, ids, labels = (torch.cat(parts) for parts in zip(*step))
        out = lab10_reference.logits(trial.sizes, leaves[:-1], leaves[-1][ids], x)
        loss = torch.nn.functional.binary_cross_entropy_with_logits(out, labels)
        assert made["losses"][t].sum() / len(labels) == pytest.approx(float(loss.detach()), rel=1e-5)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert torch.allclose(made["table"], leaves[-1], atol=1e-5)
    assert all(torch.allclose(a, b, atol=1e-5) for own in made["dense"] for a, b in zip(own, leaves))


def test_the_net_of_the_course_is_the_reference_s_model():
    trial = small(K=1, steps=1)
    (features, ids, labels), = trial.batches[0]

    class Nobody:
        def compute(self, seconds):
            pass

    net = lab10_net.Net(Nobody(), trial.sizes)
    loss = net.forward(trial.dense, trial.table[ids], {"features": features, "labels": labels})
    right, grads, of_rows = lab10_reference.gradients(trial.sizes, trial.dense, trial.table, (features, ids, labels))
    assert loss == pytest.approx(right, rel=1e-6)
    yielded = list(net.backward())
    assert [name for name, _ in yielded] == [3, 2, "rows", 1, 0]
    assert all(torch.allclose(grad, of_rows if name == "rows" else grads[name], atol=1e-6) for name, grad in yielded)


@pytest.mark.parametrize("K", [2, 3])
def test_every_slip_has_losses_or_parameters_of_its_own(K):
    trial = small(K)
    made = {how: lab10_reference.simulated(trial, how)["losses"].round(5).tobytes()
            for how in ("", *lab10_reference.SLIPS)}
    assert len(set(made.values())) == len(made)


def test_batches_differ_in_size_and_some_are_empty():
    sizes = [[len(labels) for _, _, labels in step] for step in small(3, 20).batches]
    assert any(0 in step for step in sizes)
    assert all(len(set(step)) > 1 for step in sizes)


# ---- 10.4 -----------------------------------------------------------------------------------------------------------


def test_the_rule_is_the_best_split_on_average_and_the_course_s_figure():
    freqs = np.arange(1, 100_001) ** -1.1
    freqs /= freqs.sum()
    hot = lab10_hot.hot_or_tail(freqs, 2, 512)
    assert 60 <= len(hot) <= 66
    p = 1 - (1 - freqs) ** 512
    costs = 2 * np.arange(200) + 4 * np.array([p[k:].sum() for k in range(200)])
    assert np.argmin(costs) == len(hot)


def test_the_ledger_s_bytes_are_the_sweep_s():
    rng = rng_of(0)
    freqs = lab10_hot.shares(rng, 300, 1.1)
    batches = [[rng.choice(300, 40, p=freqs) for _ in range(3)] for _ in range(2)]
    by_heat, bytes_of = np.argsort(-freqs, kind="stable"), lab10_hot.sweep(freqs, 3, batches)
    plain = lab10_hot.ledger_of(np.zeros(0, np.int64), 3, batches, 300)
    for k in (0, 7):
        run = lab10_hot.ledger_of(by_heat[:k], 3, batches, 300)
        assert run.ledger.total() == bytes_of[k]
        assert torch.equal(lab10_hot._whole(run, by_heat[:k]), plain.results[-1])


def test_beliefs_about_heat_are_other_rows():
    asked = lab10_hot.some(rng_of(0)) + lab10_hot.edges(rng_of(0))
    rules = {**lab10_hot.BELIEFS, "right": lab10_hot.hot_or_tail}
    made = {name: str([np.sort(rule(*q)).tolist() for q in asked]) for name, rule in rules.items()}
    assert len(set(made.values())) == len(made)


# ---- 10.5 -----------------------------------------------------------------------------------------------------------


def test_the_example_and_the_beliefs_about_ports():
    assert lab10_rivals.port_bytes({"K": 2, "S": 1, "P": 100, "R": 1000, "D": 4, "u": 10}) == {
        "all-reduce": 16400, "server": 1440, "hybrid": 600}
    rules = {**lab10_beat.BELIEFS, "right": lab10_rivals.port_bytes}
    made = {name: str([rule(spec) for spec, in lab10_beat.specs(rng_of(0))]) for name, rule in rules.items()}
    assert len(set(made.values())) == len(made)


def test_the_baselines_carry_what_pslab_cost_says():
    case = Case(5)
    trial = lab10_beat.trial_of(case)
    unique = np.mean([len(np.unique(ids.numpy())) for step in trial.batches[:4] for _, ids, _ in step])
    spec = {"K": 4, "S": 2, "P": trial.numbers, "R": trial.R, "D": trial.D, "u": round(unique)}
    said = lab10_rivals.port_bytes(spec)
    for name, one in lab10_rivals.baselines(trial, 2, lab10_beat.LINK).items():
        assert one.port_bytes == pytest.approx(said[name], rel=0.1), name


# ---- the notebook ---------------------------------------------------------------------------------------------------


def cells(repo_root, folder):
    stored = json.loads((repo_root / folder / "lab_10_hybrid.ipynb").read_text(encoding="utf-8"))
    return [cell for cell in stored["cells"] if cell["cell_type"] == "code"]


def test_the_notebook_s_net_is_the_grader_s(repo_root):
    names = {"torch": torch, "np": np, "dot_interaction": dot_interaction}
    for cell in cells(repo_root, "solutions"):
        text = "".join(cell["source"])
        if text.startswith(("def linear", "class Net")):
            exec(text, names)
    trial = small(K=1, steps=1)
    (features, ids, labels), = trial.batches[0]
    batch = {"features": features, "ids": ids, "labels": labels}

    def both(comm):
        made = []
        for net in (names["Net"](comm, trial.sizes, 1.0), lab10_net.Net(comm, trial.sizes, 1.0)):
            made.append([net.forward(trial.dense, trial.table[ids], batch),
                         [(name, grad.tolist(), comm.now() % 6) for name, grad in net.backward()]])
        return made

    one, other = SimWorld(1).run(both).results[0]
    assert one == other


def test_an_untouched_lab_says_not_yet(repo_root):
    checks = [cell for cell in cells(repo_root, "labs") if "check" in cell["metadata"].get("pslab", {})]
    said = ["".join(line for out in cell["outputs"] for line in out.get("text", "")).strip() for cell in checks]
    assert said == [f"{exercise}: not yet" for exercise in LAB]
