"""10.1: the dot interaction of DLRM: each pair of different vectors once, and the dense vector in front.

    vectors v0 = dense, v1 .. vF = bags           v0 | v1·v0 | v2·v0 v2·v1 | v3·v0 v3·v1 v3·v2 | ...      DLRM
    F(F+1)/2 pairs, F+1 vectors                   v0 | v0·v1 v0·v2 v0·v3 .. | v1·v2 v1·v3 .. | ...        TorchRec

Either order is right, as a top MLP can learn with both; one of them, for all sizes. Gradients are judged against the
closed form in float64: of the sum of g_ij v_i·v_j the gradient in v_i is the sum over j of g_ij v_j.
"""

from __future__ import annotations

import numpy as np
import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab10_common import FORBIDDEN, array, few, told
from .lab10_programs import interacted

NAME = "dot_interaction"
MANY, MOST_OPERATIONS = 500, 150          # samples; a loop over them asks torch for 500 operations or more


def vectors_of(dense, bags) -> np.ndarray:
    return np.concatenate([dense[:, None], bags], axis=1)


def pairs(n: int, order: str) -> list[tuple[int, int]]:
    """Pairs i > j of n vectors."""
    if order == "DLRM":
        return [(i, j) for i in range(n) for j in range(i)]
    return [(i, j) for j in range(n) for i in range(j + 1, n)]


def interaction(dense, bags, order: str = "DLRM") -> np.ndarray:
    """(B, D), (B, F, D) -> (B, D + F(F+1)/2): the reference, pair by pair."""
    v = vectors_of(dense, bags)
    products = [(v[:, i] * v[:, j]).sum(1) for i, j in pairs(v.shape[1], order)]
    return np.concatenate([dense, np.stack(products, axis=1)], axis=1)


def gradients(dense, bags, weights, order: str) -> tuple[np.ndarray, np.ndarray]:
    """Of the sum of weights times interaction, in dense and in bags."""
    v, D = vectors_of(dense, bags), dense.shape[1]
    grad = np.zeros_like(v)
    for at, (i, j) in enumerate(pairs(v.shape[1], order)):
        grad[:, i] += weights[:, D + at, None] * v[:, j]
        grad[:, j] += weights[:, D + at, None] * v[:, i]
    grad[:, 0] += weights[:, :D]
    return grad[:, 0], grad[:, 1:]


ORDERS = ("DLRM", "TorchRec")


# ---- what else comes out --------------------------------------------------------------------------------------------


def _mixed(dense, bags) -> np.ndarray:
    """Vectors put together so that samples are torn apart: all dense ones first, then all bags."""
    B, F, D = bags.shape
    torn = np.concatenate([dense.reshape(-1), bags.reshape(-1)]).reshape(B, F + 1, D)
    return np.concatenate([dense, interaction(torn[:, 0], torn[:, 1:])[:, D:]], axis=1)


def beliefs(dense, bags) -> dict[str, list[np.ndarray]]:
    """What a misconception gives, in the orders in which it may come."""
    v, D = vectors_of(dense, bags), dense.shape[1]
    gram, n = np.einsum("bid,bjd->bij", v, v), v.shape[1]
    lower, upper = np.tril_indices(n), np.triu_indices(n)
    off = ~np.eye(n, dtype=bool)
    both = [interaction(dense, bags, order) for order in ORDERS]
    long = np.linalg.norm(v, axis=2)
    with np.errstate(all="ignore"):
        cosines = [(gram / long[:, :, None] / long[:, None])[:, i, j]
                   for i, j in (np.tril_indices(n, -1), np.triu_indices(n, 1))]
    alone = [interaction(bags[:, 0], bags[:, 1:], order)[:, D:] for order in ORDERS] if n > 2 else []
    found = {
        "10/diagonal-kept": [gram[:, lower[0], lower[1]], gram[:, upper[0], upper[1]]],
        "10/both-triangles": [gram.reshape(len(gram), -1), gram[:, off]],
        "10/dense-has-no-pairs": alone,
        "10/only-pairs-with-dense": [gram[:, 0, 1:]],
        "10/scaled": [value[:, D:] / by for value in both for by in (D, D ** 0.5, n)],
        "10/cosines": cosines,
    }
    found = {why: [np.concatenate([dense, value], axis=1) for value in values] for why, values in found.items()}
    found["10/dense-left-out"] = [value[:, D:] for value in both]
    found["10/dense-behind"] = [np.concatenate([value[:, D:], dense], axis=1) for value in both]
    found["10/samples-mixed"] = [_mixed(dense, bags)]
    return found


def why_of(dense, bags, seen: np.ndarray) -> str:
    for why, values in beliefs(dense, bags).items():
        if any(value.shape == seen.shape and np.allclose(value, seen, rtol=1e-5, atol=1e-6) for value in values):
            return why
    right = interaction(dense, bags)
    if seen.shape == right.shape and np.allclose(np.sort(seen, 1), np.sort(right, 1), rtol=1e-5, atol=1e-6):
        return "10/another-order"
    return "10/wrong-products"


# ---- judges ---------------------------------------------------------------------------------------------------------


def sizes_of(case: Case) -> list[tuple[int, int, int]]:
    """(B, F, D)."""
    if case.public:
        return [(3, 4, 2), (2, 1, 3), (4, 6, 1), (1, 2, 5), (0, 3, 4), (2, 26, 4)]
    rng = case.rng
    return [(int(rng.integers(1, 6)), int(rng.integers(3, 12)), int(rng.integers(1, 9))) for _ in range(4)]


def problem(rng, B: int, F: int, D: int, whole: bool = True) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """dense, bags, weights: whole numbers in float32, or any in float64."""
    shapes = ((B, D), (B, F, D), (B, D + F * (F + 1) // 2))
    if whole:
        return tuple(rng.integers(-9, 10, shape).astype(np.float32) for shape in shapes)
    return tuple(rng.normal(size=shape) for shape in shapes)


def asked(answers, problems, graded: bool):
    """What interacted() gives for them."""
    torches = [(torch.from_numpy(d.copy()), torch.from_numpy(b.copy()), torch.from_numpy(w) if graded else None)
               for d, b, w in problems]
    run = answers.run(NAME, 1, torches, within=interacted)
    return run, run.results[0]


def compared(told_: list, problems: list, rtol: float) -> tuple[Verdict | None, str]:
    """The first difference from both orders; and the order."""
    possible = list(ORDERS)
    for (dense, bags, _), seen in zip(problems, told_):
        where = f"B={len(dense)}, F={bags.shape[1]}, D={dense.shape[1]}"
        if seen["changed"]:
            return Verdict(False, "arguments as before", "another dense or bags", where, "10/arguments-changed"), ""
        value, right = array(seen["value"]), {order: interaction(dense, bags, order) for order in ORDERS}
        if isinstance(value, str) or value.ndim != 2 or len(value) != len(dense):
            shape = value if isinstance(value, str) else str(value.shape)
            return Verdict(False, f"shape {right['DLRM'].shape}", shape, where, "all/bad-value"), ""
        possible = [order for order in possible if value.shape == right[order].shape
                    and np.allclose(value, right[order], rtol=rtol, atol=rtol)]
        if not possible:
            first = right["DLRM"]
            said = f"shape {value.shape}" if value.shape != first.shape else few(value[0])
            need = f"shape {first.shape}" if value.shape != first.shape else few(first[0])
            close = value.shape == first.shape and rtol < 1e-8 and any(
                np.allclose(value, one, rtol=1e-4, atol=1e-4) for one in right.values())
            why = "10/single-precision" if close else why_of(dense, bags, value)
            return Verdict(False, need, said, where, why), ""
    return None, possible[0]


def by_hand(answers, case: Case) -> Verdict:
    dense, bags = np.array([[1.0, 2.0]], np.float32), np.array([[[3.0, 4.0], [5.0, 6.0]]], np.float32)
    given = [(dense, bags, None)]
    run, seen = asked(answers, given, False)
    bad, _ = compared(seen, given, 1e-6)
    return bad or Verdict(True, seen="[1, 2 | 11, 17, 39]", run=run)


def values(answers, case: Case) -> Verdict:
    problems = [problem(case.rng, *size) for size in sizes_of(case)]
    run, seen = asked(answers, problems, False)
    bad, order = compared(seen, problems, 1e-5)
    return bad or Verdict(True, seen=f"each pair once, in {order}'s order", run=run)


def slopes(answers, case: Case) -> Verdict:
    """Gradients in float64, for drawn weights."""
    problems = [problem(case.rng, *size, whole=False) for size in sizes_of(case)]
    run, seen = asked(answers, problems, True)
    bad, order = compared(seen, problems, 1e-10)
    if bad:
        return bad
    for (dense, bags, weights), mine in zip(problems, seen):
        where = f"B={len(dense)}, F={bags.shape[1]}, D={dense.shape[1]}, float64"
        for name, grad, right in zip(("dense", "bags"), mine["grads"], gradients(dense, bags, weights, order)):
            if not len(dense):
                continue
            grad = array(grad)
            if isinstance(grad, str):
                return Verdict(False, f"a gradient for {name}", "none", where, "10/no-gradient")
            if not np.allclose(grad, right, rtol=1e-9, atol=1e-9):
                return Verdict(False, f"{few(right)} for {name}", few(grad), where, "10/wrong-gradient")
    return Verdict(True, seen="gradients of dense and bags as by hand, in float64", run=run)


def one_product(answers, case: Case) -> Verdict:
    given = [problem(case.rng, MANY, 4, 3)]
    _, (seen,) = asked(answers, given, False)
    bad, _ = compared([seen], given, 1e-5)
    if bad:
        return bad
    if seen["operations"] > MOST_OPERATIONS:
        return Verdict(False, f"at most {MOST_OPERATIONS} operations of torch for {MANY} samples",
                       f"{seen['operations']:,}", "F=4, D=3", "10/loop-over-samples")
    return Verdict(True, seen=f"{MANY} samples at once")


def elsewhere(answers, case: Case) -> Verdict:
    for judge in (values, slopes):
        verdict = judge(answers, case)
        if not verdict.passed:
            return verdict
    return Verdict(True, seen="other sizes: values and gradients")


INTERACTION = Exercise(
    id="10.1", lab="10", title="The dot interaction", names=(NAME,),
    signature="def dot_interaction(dense, bags) -> Tensor    # (B, D), (B, F, D) -> (B, D + F(F+1)/2)",
    points=20, minutes=20, difficulty=2, core=True, prerequisites=("6",), forbidden=FORBIDDEN,
    goal="The F bags of a sample and its dense vector are F + 1 vectors of D numbers. Return the dense vector and "
         "behind it the dot product of each pair of different vectors, once: row by row of the lower triangle (as DLRM "
         "has it) or of the upper one (as TorchRec has it). In torch, so that gradients flow to both arguments; all "
         "samples at once.",
    example="dense [1, 2], bags [3, 4] and [5, 6] -> [1, 2, 11, 17, 39]: 11 and 17 with the dense vector, 39 between "
            "the bags",
    hints=(
        "Put the F + 1 vectors of a sample under each other: (B, F+1, D). All dot products at once are that times its "
        "own transpose, (B, F+1, F+1). Which of its entries say something new?",
        "The matrix is symmetric, and its diagonal is a vector with itself: what is left is one triangle without the "
        "diagonal.",
        "v = torch.cat([dense.unsqueeze(1), bags], 1); gram = v @ v.transpose(1, 2); i, j = torch.tril_indices(n, n, "
        "-1); torch.cat([dense, gram[:, i, j]], 1).",
    ),
    misconceptions=(
        Misconception("10/diagonal-kept", "The diagonal is among the products: a vector with itself is no pair, and "
                      "says only how long the vector is."),
        Misconception("10/both-triangles", "Each pair came twice: the matrix of products is symmetric, so one triangle "
                      "has them all, and the top MLP would be nearly twice as wide for nothing."),
        Misconception("10/dense-left-out", "The dense vector itself is missing; it stands in front of the products, "
                      "as the top MLP sees it too."),
        Misconception("10/dense-has-no-pairs", "Only bags were paired; the dense vector is one of the F + 1 vectors."),
        Misconception("10/only-pairs-with-dense", "Only pairs with the dense vector came; bags are paired with each "
                      "other, too."),
        Misconception("10/dense-behind", "The dense vector stands behind the products; it comes first."),
        Misconception("10/another-order", "All pairs are there, in an order that is neither that of the lower triangle "
                      "row by row nor that of the upper; weights trained with another order would not fit."),
        Misconception("10/scaled", "The products are divided by a number; the interaction is the plain dot product."),
        Misconception("10/cosines", "You took cosines; the lengths of the vectors belong to the dot product."),
        Misconception("10/samples-mixed", "Vectors of different samples were multiplied: put the dense vector of each "
                      "sample before its own bags, along dimension 1."),
        Misconception("10/wrong-products", "Some product is not that of two different vectors of its sample."),
        Misconception("10/no-gradient", "No gradient arrives: somewhere the way back is cut (detach, numpy, .data, "
                      "no_grad), and neither bags nor bottom MLP would learn."),
        Misconception("10/wrong-gradient", "Values are right and a gradient is not; each vector learns from all its "
                      "pairs, and the dense vector from its own place in front besides."),
        Misconception("10/single-precision", "Float64 came in and float32 did the work; keep the dtype of what comes."),
        Misconception("10/loop-over-samples", "The work grows sample by sample; one batched product has all of them."),
        *told("10/arguments-changed"),
    ),
    criteria=(
        Criterion("by hand", by_hand, 3),
        Criterion("values", values, 6),
        Criterion("gradients", slopes, 6),
        Criterion("all samples at once", one_product, 2),
        Criterion("other sizes", elsewhere, 3, hidden=True),
    ),
)
