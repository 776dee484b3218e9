"""10.5: the hybrid trained, against all-reduce everything and server everything, on stated links.

    losses, AUC    those of one process; AUC within 0.005
    bytes          of the fullest port: no more than either baseline, and within 15 % of what pslab.cost says
    seconds        virtual, on links of 100 Mbit/s: less than either baseline
    port_bytes     the student's own formula for all three, on a grid
"""

from __future__ import annotations

from weakref import WeakKeyDictionary

import numpy as np
import torch

from pslab.comm import Link
from pslab.data import auc
from pslab.grade import AnswerFailed, Case, Criterion, Exercise, Stalled, Verdict

from .lab10_beat_texts import MISCONCEPTIONS
from .lab10_common import FORBIDDEN, array, stuck
from .lab10_net import trained
from .lab10_reference import SLIPS, Trial, logits, make, simulated
from .lab10_rivals import baselines, hybrid_bytes, measured, port_bytes

NAME, S, LOOKED = "train_hybrid", 2, 5
LINK = Link(latency_s=0.0, overhead_s=10e-6, bandwidth_Bps=12.5e6)            # 100 Mbit/s
AUC_WITHIN, COST_WITHIN, MOVED_WITHIN = 0.005, 0.15, 0.02
_KEPT: WeakKeyDictionary = WeakKeyDictionary()                                # one training for several criteria


def trial_of(case: Case) -> Trial:
    """Four workers, 24 to 48 examples each, four look-ups an example in a table of some thousand rows. The rows of a
    step are a small part of the table, the dense part a smaller one."""
    rng = Case(case.seed, case.public).of("training").rng
    K, R = (4, 6_000) if case.public else (int(rng.choice([4, 5])), int(rng.integers(5_000, 9_000)))

    def sizes(t: int) -> list[int]:
        return [int(n) for n in rng.integers(24, 49, size=K)]
    trial = make(rng, f"K={K}, {R:,} rows", K, sizes, 40, F=4, D=8, R=R, features=4, hidden=16)
    trial.layer_s, trial.lr = 1e-4, 0.5
    return trial


def run_of(answers, case: Case):
    """(trial, run); made once for all criteria."""
    kept = _KEPT.setdefault(answers, {})
    if case.seed not in kept:
        trial = trial_of(case)
        try:
            kept[case.seed] = trial, answers.run(NAME, trial.K, per_rank=trial.ranks(), within=trained, link=LINK,
                                                 timeout_s=25.0)
        except AnswerFailed as failed:
            kept[case.seed] = trial, stuck(failed, trial.label) if isinstance(failed, Stalled) else failed
    trial, run = kept[case.seed]
    if isinstance(run, AnswerFailed):
        raise run.with_traceback(None)
    return trial, run


# ---- values ---------------------------------------------------------------------------------------------------------


def as_one_process(answers, case: Case) -> Verdict:
    trial, run = run_of(answers, case)
    steps = len(trial.batches)
    for own in run.results:
        bad = isinstance(own["losses"], str) or len(own["losses"]) != steps or \
            any(isinstance(loss, str) for loss in own["losses"])
        if bad:
            return Verdict(False, f"a list of {steps} numbers", f"{own['losses']!r}"[:120], trial.label,
                           "all/bad-value", run)
    losses = np.array([own["losses"] for own in run.results]).T
    right = _reference(case, trial)
    known = _auc_of(trial, right["dense"][0], right["table"])
    off = not np.allclose(losses, right["losses"], rtol=1e-3, atol=1e-3)
    score = None if off else _auc(trial, run)
    if off or score is None or abs(score - known) > AUC_WITHIN:
        t = int(np.argmax(~np.isclose(losses, right["losses"], rtol=1e-3, atol=1e-3).all(axis=1))) if off else steps
        seen = "no model of these shapes" if score is None else f"AUC {score:.4f}"
        return Verdict(False, f"losses of one process and AUC {known:.4f}, within {AUC_WITHIN}",
                       f"losses differ from step {t} on" if off else seen, trial.label,
                       _why(trial, losses) if off else "10/another-model", run)
    far = _distance(trial, run, right)
    if far > MOVED_WITHIN:
        return Verdict(False, "rows and dense part at the end as in one process", f"off by {far:.0%} of the way that "
                       "training went", trial.label, "10/another-model", run)
    return Verdict(True, f"AUC {known:.4f} in one process", f"AUC {score:.4f}, {steps} losses of one process",
                   trial.label, run=run)


def _distance(trial: Trial, run, right: dict) -> float:
    """How far the parameters are from those of one process, over the way that these went; the worst worker counts."""
    worst = 0.0
    for rank, own in enumerate(run.results):
        part = slice(rank, None, trial.K)
        pairs = [(own["table"], right["table"][part], trial.table[part]), *zip(own["dense"], right["dense"][rank],
                                                                              trial.dense)]
        worst = max([worst, *(float((seen - wanted).norm() / (wanted - first).norm())
                              for seen, wanted, first in pairs)])
    return worst


def _reference(case: Case, trial: Trial) -> dict:
    key = case.seed, case.public
    if key not in _REFERENCES:
        _REFERENCES.clear()
        _REFERENCES[key] = simulated(trial)
    return _REFERENCES[key]


_REFERENCES: dict = {}


def _auc(trial: Trial, run) -> float | None:
    table = torch.empty(trial.R, trial.D)
    for rank, own in enumerate(run.results):
        part = array(own["table"])
        shapes = [getattr(array(flat), "shape", None) for flat in own["dense"]]
        if shapes != [tuple(flat.shape) for flat in trial.dense]:
            return None
        if isinstance(part, str) or part.shape != tuple(table[rank::trial.K].shape):
            return None
        table[rank::trial.K] = torch.from_numpy(np.ascontiguousarray(part))
    scores = [_auc_of(trial, own["dense"], table) for own in run.results]
    return scores[0] if max(scores) - min(scores) < 1e-3 else min(scores)


def _auc_of(trial: Trial, dense, table) -> float:
    """On the last five global batches, which the training has seen: it is the same question for every strategy."""
    batches = [batch for step in trial.batches[-5:] for batch in step]
    x, ids, labels = (torch.cat(parts) for parts in zip(*batches))
    scores = logits(trial.sizes, list(dense), table[ids], x).numpy()
    return auc(labels.numpy(), scores) if np.isfinite(scores).all() else 0.0


def _why(trial: Trial, losses: np.ndarray) -> str:
    sizes = np.array([[max(1, len(batch[2])) for batch in step] for step in trial.batches])
    right = simulated(trial, steps=LOOKED)["losses"]
    if np.allclose(losses[0] * sizes[0], right[0], rtol=1e-3) or np.allclose(losses[0], right[0].sum(), rtol=1e-3) or \
            np.allclose(losses[0] * trial.global_size(0), right[0], rtol=1e-3):
        return "10/not-the-own-sum"
    for few, rtol in ((LOOKED, 1e-5), (2, 1e-3)):                             # the second where losses run away
        for slip in SLIPS:
            if np.allclose(losses[:few], simulated(trial, slip, few)["losses"], rtol=rtol, atol=1e-3):
                return slip
    return "10/wrong-rows" if not np.allclose(losses[0], right[0], rtol=1e-3) else "10/another-step"


# ---- bytes and seconds ----------------------------------------------------------------------------------------------


def below_both(answers, case: Case) -> Verdict:
    trial, run = run_of(answers, case)
    mine, others = measured(run, len(trial.batches)), baselines(trial, S, LINK)
    table = "; ".join(f"{name} {one.port_bytes / 1e3:.1f} kB" for name, one in others.items())
    for other in others.values():
        if mine.port_bytes > other.port_bytes:
            return Verdict(False, f"no more than {table}", f"{mine.port_bytes / 1e3:.1f} kB a step on the fullest port",
                           f"{trial.label}, S={S}", _why_much(trial, run, mine), run,
                           mine.port_bytes / other.port_bytes)
    return Verdict(True, table, f"hybrid {mine.port_bytes / 1e3:.1f} kB; {table}", trial.label, run=run)


def _why_much(trial: Trial, run, mine) -> str:
    if mine.port_bytes > 4 * trial.R * trial.D * (trial.K - 1) / trial.K:
        return "10/rows-sent-dense"
    ports = [max(run.ledger.port(rank)) for rank in range(trial.K)]
    return "10/one-port-has-all" if max(ports) > 1.5 * np.median(ports) else "10/more-than-needed"


def as_the_model_says(answers, case: Case) -> Verdict:
    """Within 15 % of pslab.cost, from above and from below."""
    trial, run = run_of(answers, case)
    unique = np.mean([len(np.unique(ids.numpy())) for step in trial.batches for _, ids, _ in step])
    mine, told_ = measured(run, len(trial.batches)).port_bytes, hybrid_bytes(trial.K, trial.numbers, trial.D, unique)
    if abs(mine / told_ - 1) > COST_WITHIN:
        why = "10/by-a-side-door" if mine < told_ else _why_much(trial, run, measured(run, len(trial.batches)))
        return Verdict(False, f"{told_ / 1e3:.1f} kB a step by pslab.cost, within 15 %", f"{mine / 1e3:.1f} kB",
                       trial.label, why, run, mine / told_)
    return Verdict(True, f"{told_ / 1e3:.1f} kB by pslab.cost", f"{mine / 1e3:.1f} kB measured, "
                   f"{mine / told_ - 1:+.0%}", trial.label, run=run)


def faster_than_both(answers, case: Case) -> Verdict:
    trial, run = run_of(answers, case)
    mine, others = measured(run, len(trial.batches)).seconds, baselines(trial, S, LINK)
    table = "; ".join(f"{name} {one.seconds * 1e3:.2f} ms" for name, one in others.items())
    if mine > min(other.seconds for other in others.values()):
        return Verdict(False, f"less than {table}", f"{mine * 1e3:.2f} ms a step", trial.label, "10/slower", run)
    return Verdict(True, table, f"hybrid {mine * 1e3:.2f} ms a step; {table}", trial.label, run=run)


# ---- the formula ----------------------------------------------------------------------------------------------------


def specs(rng) -> list[tuple]:
    """Counts that K and S divide, so that there is no rounding to agree on."""
    made = []
    for K, servers in ((2, 1), (4, 2), (4, 1), (8, 4), (3, 3), (5, 1)):
        both = K * servers
        made.append(({"K": K, "S": servers, "P": both * int(rng.integers(50, 4_000)), "R": both * int(
            rng.integers(2_000, 90_000)), "D": int(rng.choice([4, 8, 16, 64])), "u": both * int(rng.integers(5, 90))},))
    return made


def _with(**parts):
    """The right answer with some values replaced."""
    return lambda s: {**port_bytes(s), **{name.replace("_", "-"): rule(s) for name, rule in parts.items()}}


def _own(s, rows: float) -> float:
    """Hybrid: the ring, and so many bytes for each different row, of which K - 1 of K are remote."""
    return 8 * (s["K"] - 1) * s["P"] // s["K"] + rows * s["u"] * (s["K"] - 1) // s["K"]


BELIEFS = {
    "10/ids-are-free": _with(server=lambda s: s["K"] * (4 * s["P"] + 4 * s["D"] * s["u"]) // s["S"],
                             hybrid=lambda s: _own(s, 8 * s["D"])),
    "10/own-rows-travel": _with(hybrid=lambda s: 8 * (s["K"] - 1) * s["P"] // s["K"] + s["u"] * (8 + 8 * s["D"])),
    "10/one-way-only": _with(hybrid=lambda s: _own(s, 8 + 4 * s["D"])),
    "10/worker-port-only": _with(server=lambda s: 4 * s["P"] + s["u"] * (4 * s["D"] + 16)),
    "10/touched-rows-in-the-ring": _with(all_reduce=lambda s: 8 * (s["K"] - 1) * (s["P"] + s["u"] * s["D"]) // s["K"]),
    "10/all-links-together": lambda s: {"all-reduce": 8 * (s["K"] - 1) * (s["P"] + s["R"] * s["D"]), "server":
                                        8 * s["K"] * (s["P"] + s["u"] * (s["D"] + 2)), "hybrid": s["K"] * _own(
                                            s, 8 + 8 * s["D"])},
}


def formula(answers, case: Case) -> Verdict:
    listed, made = specs(case.rng), []
    for spec, in listed:
        seen, right = answers.call("port_bytes", spec), port_bytes(spec)
        if not isinstance(seen, dict) or set(seen) != set(right) or not all(
                isinstance(value, (int, float)) for value in seen.values()):
            return Verdict(False, f"a dictionary with {', '.join(right)}", f"{seen!r}"[:120], f"{spec}",
                           "all/bad-value")
        made.append(seen)
    wrong = [(spec, seen) for (spec,), seen in zip(listed, made) if not _same(seen, port_bytes(spec))]
    if not wrong:
        return Verdict(True, seen=f"{len(listed)} cases")
    why = next((name for name, rule in BELIEFS.items()
                if all(_same(seen, rule(spec)) for (spec,), seen in zip(listed, made))), "10/miscounted")
    spec, seen = wrong[0]
    name = next(name for name, right in port_bytes(spec).items() if not _same({name: seen[name]}, {name: right}))
    return Verdict(False, f"{name}: {port_bytes(spec)[name]:,} bytes", f"{seen[name]:,}", f"{spec}", why)


def _same(seen: dict, right: dict) -> bool:
    return all(abs(seen[name] - value) <= 1e-6 * value + 32 for name, value in right.items())


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (as_one_process, below_both, as_the_model_says, faster_than_both, formula):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="another training, other cases", run=verdict.run)


BEAT = Exercise(
    id="10.5", lab="10", title="Beat both baselines", names=(NAME, "port_bytes"),
    signature="def train_hybrid(comm, net, dense, table, batches, lr) -> list[float]    # own loss sum of each step\n"
              "def port_bytes(spec) -> {'all-reduce', 'server', 'hybrid'}            # bytes a step",
    points=40, minutes=45, difficulty=4, core=False, prerequisites=("10.3", "9.5"), forbidden=FORBIDDEN,
    goal="Train on batches, a list of (batch, global_size), as one process would: dense and table change in place. On "
         "links of 100 Mbit/s the fullest port carries no more bytes a step than all-reduce everything or server "
         "everything (2 servers), within 15 % of pslab.cost, in less virtual time. port_bytes predicts all three: "
         "bytes a step in the fuller direction of the fullest port, for spec with K workers, S servers on machines of "
         "their own, P dense numbers, R rows of D numbers, u different rows that a worker touches (a part u/K of them "
         "its own).",
    example="K=2, S=1, P=100, R=1000, D=4, u=10 -> all-reduce 16400, server 1440, hybrid 600: 400 around the ring, and "
            "5 remote rows of 8 + 16 + 16 bytes",
    hints=(
        "Training is your hybrid step, once for each batch. If it is right in 10.3 it is right here; what is new is "
        "that its bytes are compared. A port has two directions; count the fuller one.",
        "All-reduce: 2(K-1)/K of everything, 4(P + R·D) bytes. Server: each of K workers pulls 4P + 4D·u and pushes 4P "
        "+ u·(4D + 8), after a request of 8u: which direction of which port is the fullest? It depends on K/S.",
        "Server: max(K/S, 1) · (4P + u·(4D + 16)), into the server. Hybrid: 2(K-1)/K·4P + u·(K-1)/K·(8 + 4D + 4D): "
        "ids and gradients of rows that others own, and the rows that others ask for, as many on average.",
    ),
    misconceptions=MISCONCEPTIONS,
    criteria=(
        Criterion("losses and AUC of one process", as_one_process, 10),
        Criterion("bytes below both baselines", below_both, 8),
        Criterion("as pslab.cost says", as_the_model_says, 6),
        Criterion("faster than both", faster_than_both, 4),
        Criterion("bytes by formula", formula, 6),
        Criterion("another training", elsewhere, 6, hidden=True),
    ),
)
