"""Any plan at all, by chance: kinds mixed, owners in any order, ranges of any size, batches of any size on a rank."""

import numpy as np
import pytest
import torch
from shard_cases import check_equal

from pslab.comm import SimWorld
from pslab.data import KeyedJaggedTensor
from pslab.embedding import EmbeddingBagCollection, EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding
from pslab.embedding.sharding import WIRES
from pslab.ps import SGD, Integers

STEPS = 2


def random_sharding(draw, K, table):
    kind = str(draw.choice(["table_wise", "row_wise", "column_wise", "table_row_wise", "data_parallel"]))
    ranks = draw.permutation(K)[:draw.integers(1, K + 1)].tolist()
    if kind == "table_wise":
        return Sharding(kind, ranks[0])
    if kind == "data_parallel":
        return Sharding(kind, gradient=str(draw.choice(["dense", "sparse"])))
    if kind == "column_wise":
        return Sharding(kind, ranks[:int(draw.choice([k for k in range(1, len(ranks) + 1)
                                                      if table.embedding_dim % k == 0]))])
    by = str(draw.choice(["range", "hash"]))
    if by == "hash" or draw.integers(2):
        return Sharding(kind, ranks, by)
    cuts = [0, *sorted(draw.integers(0, table.num_embeddings + 1, len(ranks) - 1).tolist()), table.num_embeddings]
    ranges = list(zip(cuts, cuts[1:]))
    return Sharding(kind, ranks, rows=[ranges[i] for i in draw.permutation(len(ranges))])


def random_batch(draw, configs, weighted):
    """Features in any order, one of them unknown; bags of 0 to 4 ids, or of one id each."""
    features = [(name, config.num_embeddings) for config in configs for name in config.feature_names] + [("none's", 99)]
    rows, single, values, lengths = int(draw.choice([0, 1, 2, 5])), draw.integers(4) == 0, [], []
    features = [features[i] for i in draw.permutation(len(features))]
    for _, num_embeddings in features:
        for _ in range(rows):
            lengths.append(1 if single else int(draw.choice([0, 0, 1, 2, 4])))
            values += draw.integers(0, num_embeddings, lengths[-1]).tolist()
    weights = torch.from_numpy(draw.integers(-3, 4, len(values)).astype(np.float32)) if weighted else None
    return KeyedJaggedTensor([name for name, _ in features], values, lengths, weights=weights, stride=rows)


def case(seed):
    draw = np.random.default_rng(seed)
    K, weighted, mean = int(draw.integers(1, 5)), bool(draw.integers(2)), draw.integers(3) == 0
    poolings = ["sum"] if weighted or not mean else ["sum", "mean"]
    configs = [EmbeddingBagConfig(int(draw.choice([1, 2, 3, 5, 8, 13, 30])), int(draw.choice([1, 2, 3, 4, 6])), f"t{i}",
                                  [f"f{i}{j}" for j in range(draw.integers(1, 3))], str(draw.choice(poolings)))
               for i in range(draw.integers(1, 4))]
    plan = {config.name: random_sharding(draw, K, config) for config in configs}
    width = sum(config.embedding_dim * len(config.feature_names) for config in configs)
    batches = [[random_batch(draw, configs, weighted) for _ in range(K)] for _ in range(STEPS)]
    grads = [[torch.from_numpy(draw.integers(-4, 5, (len(batch), width)).astype(np.float32)) for batch in step]
             for step in batches]
    exact = all(config.pooling == "sum" for config in configs)
    return K, configs, plan, batches, grads, {"is_weighted": weighted}, bool(draw.integers(2)), exact


def program(comm, configs, plan, batches, grads, more, dedup):
    model = ShardedEmbeddingBagCollection(configs, comm, plan, SGD(0.5), dedup=dedup, init=Integers(-8, 9), **more)
    outs = []
    for step in range(STEPS):
        outs.append(model(batches[step][comm.rank]).values)
        outs[-1].backward(grads[step][comm.rank])
    return [out.detach() for out in outs], {config.name: model.rows(config.name) for config in configs}


def alone(configs, batches, grads, more):
    model = EmbeddingBagCollection(configs, init=Integers(-8, 9), **more)
    optimizer = torch.optim.SGD(model.parameters(), 0.5)
    outs = []
    for step in range(STEPS):
        optimizer.zero_grad()
        outs.append([model(batch).values for batch in batches[step]])
        torch.autograd.backward(outs[-1], grads[step])
        optimizer.step()
    return ([[out.detach() for out in each] for each in outs],
            {config.name: model.tables[config.name].weight.detach() for config in configs})


def play(seed):
    K, configs, plan, batches, grads, more, dedup, exact = case(seed)
    run = SimWorld(K, trace=False).run(program, configs, plan, batches, grads, more, dedup)
    check_equal(run.results, alone(configs, batches, grads, more), atol=0.0 if exact else 1e-4)


def test_random_plans_are_bit_for_bit_the_single_process(monkeypatch):
    monkeypatch.setattr("pslab.embedding.sharding.layout._DRAWN", 3)        # first rows are drawn in several blocks
    for seed in range(12):
        play(seed)


@pytest.mark.long
def test_more_random_plans():
    for seed in range(1000, 3000):
        play(seed)


def test_half_precision_keeps_eleven_bits():
    """A wire of another 16-bit type (bfloat16 keeps 8) has the same bytes, and other numbers."""
    numbers = torch.tensor([[1 + 2.0**-10, 65504.0, 2.0**-24]])
    assert torch.equal(WIRES["fp16"].decode(WIRES["fp16"].encode(numbers), 3), numbers)
