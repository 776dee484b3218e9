"""Random chains of operations on jagged tensors, against dictionaries of lists of lists."""

import numpy as np
import pytest
import torch

from pslab.data import KeyedJaggedTensor


def drawn(draw, keys, rows):
    """{key: bags}, each bag a list of (id, weight)."""
    return {key: [[(int(draw.integers(0, 9)), float(draw.integers(0, 100))) for _ in range(draw.integers(0, 4))]
                  for _ in range(rows)] for key in keys}


def made(bags, rows, weighted, by_offsets):
    entries = [entry for key in bags for bag in bags[key] for entry in bag]
    lengths = [len(bag) for key in bags for bag in bags[key]]
    weights = torch.tensor([weight for _, weight in entries], dtype=torch.float32) if weighted else None
    how = {"offsets": np.cumsum([0, *lengths])} if by_offsets else {"lengths": lengths}
    return KeyedJaggedTensor(list(bags), [id for id, _ in entries], weights=weights, stride=rows, **how)


def check(features, bags, rows, weighted):
    assert (features.keys, features.stride) == (list(bags), rows)
    assert features.length_per_key == [sum(map(len, bags[key])) for key in bags]
    assert features.offset_per_key == np.cumsum([0, *features.length_per_key]).tolist()
    assert features.offsets.tolist() == np.cumsum([0, *features.lengths.tolist()]).tolist()
    assert (features.weights is not None) == weighted
    for key, bag in features.to_dict().items():
        ids, ends = bag.to_list(), bag.offsets.tolist()
        weights = bag.weights.tolist() if weighted else [weight for row in bags[key] for _, weight in row]
        found = [list(zip(row, weights[lo:hi])) for row, lo, hi in zip(ids, ends, ends[1:], strict=False)]
        assert found == bags[key], key


def play(seed):
    draw = np.random.default_rng(seed)
    rows, weighted = int(draw.integers(0, 5)), bool(draw.integers(2))
    bags = drawn(draw, [f"k{i}" for i in range(draw.integers(1, 5))], rows)
    features = made(bags, rows, weighted, draw.integers(2))
    for step in range(5):
        keys, operation = list(bags), draw.choice(["permute", "split", "concat", "rows", "take", "batches", "dict"])
        if operation == "permute":
            places = draw.permutation(len(keys))[:draw.integers(0, len(keys) + 1)].tolist()
            features, bags = features.permute(places), {keys[place]: bags[keys[place]] for place in places}
        elif operation == "split":
            cut = int(draw.integers(0, len(keys) + 1))
            parts = features.split([cut, len(keys) - cut])
            for part, names in zip(parts, (keys[:cut], keys[cut:])):
                check(part, {name: bags[name] for name in names}, rows, weighted)
            features = KeyedJaggedTensor.concat(parts)
        elif operation == "concat":
            more = drawn(draw, [f"step{step}"], rows)
            features = KeyedJaggedTensor.concat([features, made(more, rows, weighted, draw.integers(2))])
            bags = bags | more
        elif operation == "rows":
            lo, hi = sorted(draw.integers(0, rows + 1, 2).tolist())
            features, rows, bags = features.rows(lo, hi), hi - lo, {key: bags[key][lo:hi] for key in keys}
        elif operation == "take":
            which = draw.integers(0, rows, 4) if rows else np.empty(0, np.int64)
            features, rows = features.take(which), len(which)
            bags = {key: [bags[key][row] for row in which] for key in keys}
        elif operation == "batches" and keys:
            count = int(draw.integers(0, 4))
            below = drawn(draw, keys, count)
            features = KeyedJaggedTensor.concat_batches([features, made(below, count, weighted, draw.integers(2))])
            rows, bags = rows + count, {key: bags[key] + below[key] for key in keys}
        elif keys:
            features = KeyedJaggedTensor.from_jt_dict(features.to_dict())
        check(features, bags, rows, weighted)


def test_random_operations_are_those_of_lists():
    for seed in range(150):
        play(seed)


@pytest.mark.long
def test_more_random_operations():
    for seed in range(1000, 30_000):
        play(seed)
