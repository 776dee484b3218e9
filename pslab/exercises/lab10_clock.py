"""10.3 by the clock: dense gradients travel beside the backward pass, in virtual time.

    computing    |- forward -|- layer 7 -|- layer 6 -| ... |- layer 0 -|
    travelling                           |- 7 -|     |- 6 -|    ...    |- 0 -|      not: all of them at the end
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.comm import Link
from pslab.grade import Case, Stalled, Verdict

from .lab10_common import array, stuck
from .lab10_net import stepped

NAME = "hybrid_step"
ALPHA_S, BANDWIDTH_BPS = 1e-5, 1e8
LINK = Link(latency_s=0.0, overhead_s=ALPHA_S, bandwidth_Bps=BANDWIDTH_BPS)


def clocked(case: Case) -> list[dict]:
    """Eight layers; computing takes longer than travelling, or less. Three workers may send in any order to each other,
    so that two messages wait for one port; there computing takes much longer."""
    numbers, made = int(case.rng.integers(24_000, 30_000)), []
    for K, factor in ((2, 1.2), (3, 2.5), (2, 0.7)):
        layer_s = factor * carried(K, numbers)
        made.append({"K": K, "layers": [(layer_s, numbers)] * 8, "forward_s": 2 * layer_s,
                     "label": f"K={K}, 8 layers of {numbers:,}, {'computing' if factor > 1 else 'travelling'} longer"})
    return made


def carried(K: int, numbers: int) -> float:
    """Seconds in which a port sends its part of an all-reduce of so many numbers."""
    return 2 * (K - 1) * (ALPHA_S + 4 * numbers / K / BANDWIDTH_BPS)


def beside_backward(answers, case: Case) -> Verdict:
    shown = None
    for spec in clocked(case):
        K, layers = spec["K"], spec["layers"]
        dense = [torch.zeros(numbers) for _, numbers in layers]
        ids = torch.arange(K)[:, None]
        batch = {"features": torch.zeros(K, 1), "ids": ids, "labels": torch.zeros(K)}
        given = {"layers": layers, "forward_s": spec["forward_s"]}
        per_rank = [(given, dense, torch.zeros(2, 2), [(batch, K * K)], 1.0) for _ in range(K)]
        try:
            run = answers.run(NAME, K, per_rank=per_rank, within=stepped, link=LINK, timeout_s=20.0)
        except Stalled as failed:
            raise stuck(failed, spec["label"]) from None
        right = [-sum(i + 1 + r for r in range(K)) / K**2 for i in range(len(layers))]
        for own in run.results:
            bad = next((i for i, flat in enumerate(own["dense"]) if isinstance(array(flat), str)
                        or not np.allclose(array(flat), right[i], rtol=1e-5)), None)
            if bad is not None:
                return Verdict(False, f"dense[{bad}] is {right[bad]:.5g} everywhere", "another sum", spec["label"],
                               "10/layers-mixed", run)
        computing = spec["forward_s"] + sum(seconds for seconds, _ in layers)
        (layer_s, numbers), travelling = layers[0], len(layers) * carried(K, layers[0][1])
        late = travelling > computing - spec["forward_s"]
        bound = max(computing, travelling + spec["forward_s"] + layer_s if late else 0) + \
            2 * (K - 1) * carried(K, numbers) + 12 * K * ALPHA_S
        if run.seconds > bound:
            return Verdict(False, f"at most {bound * 1e3:.2f} ms; computing {computing * 1e3:.2f}, dense gradients "
                           f"travel {travelling * 1e3:.2f} ms", f"{run.seconds * 1e3:.2f} ms", spec["label"],
                           _why_late(run, computing, travelling), run, run.seconds / bound)
        shown = shown or (bound, run, spec["label"])
    bound, run, label = shown
    return Verdict(True, f"at most {bound * 1e3:.2f} ms", f"{run.seconds * 1e3:.2f} ms", label, run=run, ratio=1.0)


def _why_late(run, computing: float, travelling: float) -> str:
    large = [e for e in run.trace.events if e.payload_bytes > 1000]
    if not large or min(e.posted_s for e in large) >= 0.97 * computing:
        return "10/sent-after-backward"
    if run.seconds > computing + 0.8 * travelling:
        return "10/computing-waits"
    return "10/second-half-waits"
