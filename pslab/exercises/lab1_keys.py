"""1.2: a PyTorch model as ranges of 64-bit keys with float32 values, and back into another model of the same shape.

    0.weight (3, 4)   keys  0 .. 11   one range a tensor, its numbers row by row
    0.bias   (3,)     keys 12 .. 14   a tied tensor once; no names travel, no pickle, and each process that has a model
    2.weight ...                      of this shape comes to the same keys by itself
"""

from __future__ import annotations

import torch

from pslab.grade import Case, Criterion, Exercise, Misconception, Verdict

from .lab1_programs import filled, taken

FORBIDDEN = ("pslab.ps", "pslab.models", "pslab.examples")
TAKE, GIVE = "as_key_values", "from_key_values"
HASH_SEEDS = (1, 2)

MODELS = {
    "two layers": [("linear", 6, 8, True), ("linear", 8, 3, True)],
    "a tied weight": [("embedding", 7, 4), ("linear", 4, 4, False), ("tied", 0)],
    "equal shapes": [("linear", 3, 3, True), ("linear", 3, 3, True), ("linear", 3, 3, True)],
    "a frozen tensor, a single number": [("frozen", 5), ("scalar",), ("linear", 2, 3, True)],
    "a matrix that is turned": [("turned", 3, 4), ("linear", 4, 2, False)],
}


def drawn(rng) -> dict[str, list]:
    """Two models with layers in any order."""
    models = {}
    for name in ("layers drawn", "more layers drawn"):
        layers: list[tuple] = [("embedding", int(rng.integers(2, 9)), int(rng.integers(1, 6)))]
        for _ in range(int(rng.integers(3, 7))):
            n, m = (int(v) for v in rng.integers(1, 7, 2))
            layers.append([("linear", n, m, bool(rng.integers(2))), ("scalar",), ("turned", n, m), ("frozen", n)][
                int(rng.integers(4))])
        models[name] = [*layers, ("tied", 0)]
    return models


def _bits(pairs) -> dict[int, torch.Tensor]:
    return {first: torch.as_tensor(bits) for first, bits in pairs}


def _take(answers, name: str, layers: list, seed: int) -> tuple[dict | None, Verdict | None]:
    """(what as_key_values gave, None) or (None, what is wrong with its form)."""
    got = answers.run(TAKE, 1, layers, seed, within=taken, trace=False).results[0]
    if "odd" in got:
        why = "1/pickled" if got.get("bytes") else "all/bad-value"
        return None, Verdict(False, "{first key: values (n,) float32}", got["odd"], name, why)
    return got, None


def ranges(models_of):
    """Every tensor's bits under one range of its own, each tensor once, frozen ones too."""
    def judge(answers, case: Case) -> Verdict:
        for name, layers in models_of(case).items():
            got, wrong = _take(answers, name, layers, int(case.rng.integers(2**31)))
            wrong = wrong or _misheld(name, got)
            if wrong:
                return wrong
        held = ", ".join(f"{first} to {first + len(bits) - 1}" for first, bits in sorted(got["pairs"])[:4])
        return Verdict(True, "one range for each tensor, bit for bit", f"keys {held}", name)
    return judge


def _misheld(name: str, got: dict) -> Verdict | None:
    tensors = {tensor: torch.as_tensor(bits) for tensor, bits in got["tensors"].items()}
    pairs = sorted(got["pairs"])
    values, wanted = sum(len(bits) for _, bits in pairs), sum(len(bits) for bits in tensors.values())
    for (first, bits), (following, _) in zip(pairs, pairs[1:]):
        if first + len(bits) > following:
            return Verdict(False, "ranges that do not overlap", f"keys {first} to {first + len(bits) - 1}, and "
                           f"the next range begins at {following}", name, "1/keys-collide")
    if pairs and pairs[-1][0] + len(pairs[-1][1]) > 2 ** (63 if pairs[0][0] < 0 else 64):
        return Verdict(False, "keys of 64 bits", f"a range that ends at {pairs[-1][0] + len(pairs[-1][1])}", name,
                       "1/keys-collide")
    if got["spoiled"]:
        return Verdict(False, "the model as it was", f"{got['spoiled'][0]} changed", name, "1/model-changed")
    if len(pairs) == 1 and len(tensors) > 1:
        return Verdict(False, f"{len(tensors)} ranges", "one range for the whole model", name, "1/one-range-for-all")
    if len(pairs) > len(tensors):
        why = "1/tied-twice" if values > wanted else "1/more-than-one-range"
        return Verdict(False, f"{len(tensors)} ranges of {wanted} numbers in all", f"{len(pairs)} of {values}", name,
                       why)
    if len(pairs) < len(tensors):
        return Verdict(False, f"{len(tensors)} ranges of {wanted} numbers in all", f"{len(pairs)} of {values}", name,
                       "1/tensor-left-out")
    left = [bits for _, bits in pairs]
    for tensor, bits in tensors.items():
        at = next((i for i, mine in enumerate(left) if torch.equal(torch.as_tensor(mine), bits)), None)
        if at is None:
            return Verdict(False, f"a range with the {len(bits)} numbers of {tensor}, row by row, bit for bit",
                           "none of the ranges has them", name, _why_not(bits, [torch.as_tensor(b) for b in left]))
        left.pop(at)
    return None


def _why_not(bits: torch.Tensor, left: list[torch.Tensor]) -> str:
    for mine in left:
        if len(mine) == len(bits):
            if not mine.any() and bits.any():
                return "1/not-a-copy"
            if torch.equal(mine.sort().values, bits.sort().values):
                return "1/not-row-by-row"
    return "1/not-bit-for-bit"


def round_trip(models_of):
    """Out of one model, into a fresh one with other weights, in another process: bit for bit, a pull a tensor."""
    def judge(answers, case: Case) -> Verdict:
        seeds = {name: int(case.rng.integers(2**31)) for name in models_of(case)}
        stored = {}
        for name, layers in models_of(case).items():
            stored[name], wrong = _take(answers, name, layers, seeds[name])
            if wrong:
                return wrong
        answers.restart(hash_seed=HASH_SEEDS[0])
        for name, layers in models_of(case).items():
            pairs = stored[name]["pairs"]
            back = answers.run(GIVE, 1, layers, seeds[name] + 1, pairs, within=filled, trace=False).results[0]
            wrong = _misfilled(name, layers, stored[name]["tensors"], back)
            if wrong:
                return wrong
        return Verdict(True, "the same bits in a fresh model", f"{len(back['pulls'])} pulls", name)
    return judge


def _misfilled(name: str, layers: list, tensors: dict, back: dict) -> Verdict | None:
    ties = sum(kind == "tied" for kind, *_ in layers)
    if back["missing"]:
        return Verdict(False, "pulls of keys that were stored", back["missing"][0] + " in a fresh process", name,
                       "1/keys-of-this-process")
    if back["ties"] < ties or set(back["tensors"]) != set(tensors):
        return Verdict(False, f"{ties} tied tensor", "none after the fill", name, "1/tie-broken")
    for tensor, bits in tensors.items():
        mine = torch.as_tensor(back["tensors"][tensor])
        if not torch.equal(torch.as_tensor(bits), mine):
            same = any(torch.equal(torch.as_tensor(other), mine) for other in tensors.values())
            return Verdict(False, f"{tensor} as it was stored, bit for bit", "numbers of another tensor" if same else
                           f"{int((torch.as_tensor(bits) != mine).sum())} of {len(mine)} differ", name,
                           "1/another-tensors-keys" if same else "1/not-filled")
    if len(back["pulls"]) > len(tensors):
        return Verdict(False, f"{len(tensors)} pulls, one a tensor", f"{len(back['pulls'])}", name, "1/too-many-pulls")
    return None


def same_keys(answers, case: Case) -> Verdict:
    """First keys of a model, of another one of this shape, and in processes with other hash seeds."""
    keys: dict[str, list[int]] = {}
    for turn, hash_seed in enumerate((0, *HASH_SEEDS)):
        answers.restart(hash_seed=hash_seed)
        for name, layers in MODELS.items():
            got, wrong = _take(answers, name, layers, int(case.rng.integers(2**31)))
            if wrong:
                return wrong
            mine = sorted((first, len(bits)) for first, bits in got["pairs"])
            known = keys.setdefault(name, mine)
            if known != mine:
                return Verdict(False, f"the keys of the first process, {known[:2]}", f"{mine[:2]} in process "
                               f"{turn + 1}, with other weights", name, "1/keys-of-this-process")
    return Verdict(True, seen=f"{len(HASH_SEEDS) + 1} processes agree on the keys of {len(MODELS)} models")


def elsewhere(answers, case: Case) -> Verdict:
    models = drawn(case.rng)
    verdict = ranges(lambda case: models)(answers, case)
    return verdict if not verdict.passed else round_trip(lambda case: models)(answers, case)


KEYS = Exercise(
    id="1.2", lab="1", title="A model as keys and values", names=(TAKE, GIVE),
    signature="def as_key_values(model: torch.nn.Module) -> dict[int, torch.Tensor]; "
              "def from_key_values(model: torch.nn.Module, pull: Callable) -> None",
    points=20, minutes=20, difficulty=1, core=True, prerequisites=("0A",), chapter_number="11.1.2",
    forbidden=FORBIDDEN,
    goal="as_key_values: {first key: values}, an entry for each different parameter tensor; values (n,) float32 are a "
         "copy of its numbers, row by row, under the keys from first on. Keys are 64-bit whole numbers, and ranges do "
         "not overlap. from_key_values: fill another model of the same layers, in place, from pull(begin, end), which "
         "gives the values under the keys begin to end - 1, (end - begin,) float32; one pull for each tensor.",
    example="torch.nn.Linear(4, 3) may give {0: its 12 weights, 12: its 3 biases}, and is filled by pull(0, 12) and "
            "pull(12, 15)",
    hints=(
        "model.named_parameters() gives every different tensor once, always in the same order, tied ones under their "
        "first name. How far have you counted when a tensor's turn comes?",
        "A range is its first key and its length. p.detach().reshape(-1) has the numbers row by row, however they lie "
        "in memory; .clone() makes them a copy.",
        "Back: count again in the same way, pull(first, first + p.numel()), and under torch.no_grad() "
        "p.copy_(values.view_as(p)).",
    ),
    misconceptions=(
        Misconception("1/pickled", "A server gets bytes that only Python can read; it has to see numbers, so that a "
                      "rule can step them one by one."),
        Misconception("1/tied-twice", "A tensor that two layers share came twice; the server would step the copies "
                      "apart, and they would be one weight no more."),
        Misconception("1/tensor-left-out", "Not every tensor is there; frozen ones and single numbers belong to the "
                      "model, and a worker that starts empty needs them."),
        Misconception("1/one-range-for-all", "The whole model became one range; each tensor has one of its own, so "
                      "that a layer can be pulled without the rest."),
        Misconception("1/more-than-one-range", "A tensor came in more than one range; one range of it takes one "
                      "message, whatever its size."),
        Misconception("1/keys-collide", "Two numbers have the same key, or a key has more than 64 bits; the n numbers "
                      "of a tensor take up the keys from first to first + n - 1."),
        Misconception("1/not-a-copy", "What you returned changes when the model does; a server keeps what it was "
                      "given."),
        Misconception("1/not-row-by-row", "The numbers are right and their order is not; row by row means that the "
                      "last index runs fastest, however the tensor lies in memory."),
        Misconception("1/not-bit-for-bit", "Some numbers changed on the way; -0.0, infinities and numbers near 0 have "
                      "to come out as they went in."),
        Misconception("1/model-changed", "as_key_values changed the model that it was to read."),
        Misconception("1/keys-of-this-process", "Another process comes to other keys; take nothing that differs from "
                      "process to process or with the weights: no id(), no hash() of a text, no address, no value."),
        Misconception("1/another-tensors-keys", "A tensor was filled with the numbers of another one; both functions "
                      "have to count in the same order."),
        Misconception("1/not-filled", "The model does not hold what was pulled; the parameters have to be changed in "
                      "place, each number of them."),
        Misconception("1/tie-broken", "Two layers that shared a tensor have one each now; copy into the tensor, do not "
                      "put a new one in its place."),
        Misconception("1/too-many-pulls", "One pull for each different tensor is enough, a range of any length is one "
                      "message."),
    ),
    criteria=(
        Criterion("one range a tensor", ranges(lambda case: MODELS), 6),
        Criterion("round trip", round_trip(lambda case: MODELS), 6),
        Criterion("the same in every process", same_keys, 4),
        Criterion("other models", elsewhere, 4, hidden=True),
    ),
)
