"""What travels between sharded ranks, byte for byte, and how exact each wire is."""

import numpy as np
import pytest
import torch
from shard_cases import BATCHES, INIT, kjt, plan_of, tables, train

from pslab.comm import SimWorld
from pslab.embedding import EmbeddingBagConfig, ShardedEmbeddingBagCollection, Sharding
from pslab.embedding.sharding import WIRES, lookups_per_owner, shards_of
from pslab.ps import SGD, Uniform

ROW_BYTES = {"fp32": lambda dim: 4 * dim, "fp16": lambda dim: 2 * dim, "int8": lambda dim: dim + 8}


def owner_of(config, sharding, i, K):
    """The ranks that are asked for row i, one for each of the table's columns' parts, found one id at a time."""
    if sharding.kind == "column_wise":
        return [(shard.rank, shard.dim) for shard in shards_of(config, sharding, K)]
    return [(int(lookups_per_owner(config, sharding, [i], K).argmax()), config.embedding_dim)]


def expected_link(configs, plan, batch, src, dst, dedup, weighted, wires):
    """Bytes from requester src to owner dst and back, counted in Python loops over bags and ids."""
    dims = {dim for config in configs for dim in {shard.dim for shard in shards_of(config, plan[config.name], 3)}}
    there = 4 * (1 + (1 if dedup else 2) * len(dims))
    back = grads = 0
    for dim in dims:
        rows, ids, bags_there = set(), 0, []
        for config in configs:
            for feature in config.feature_names:
                for bag in batch[feature]:
                    mine = [i for i in bag if (dst, dim) in owner_of(config, plan[config.name], i, 3)]
                    rows |= {(config.name, i) for i in mine}
                    ids += len(mine)
                    bags_there += [len(mine)] if mine else []
        units = len(rows) if dedup else len(bags_there)
        there += 4 * (len(rows) if dedup else ids)
        if not dedup:
            there += 4 * units * (units != ids) + 4 * ids * weighted
        back += ROW_BYTES[wires[0]](dim) * units
        grads += ROW_BYTES[wires[1]](dim) * units
    return there + grads, back


PLANS = {
    "row_wise": lambda configs: plan_of("row_wise", 3, configs, by="hash"),
    "column_wise": lambda configs: plan_of("column_wise", 3, configs),
    "mixed": lambda configs: {"a": Sharding("table_wise", 1), "b": Sharding("row_wise"), "c": Sharding("column_wise")},
}


@pytest.mark.parametrize("wire", ["fp32", "fp16", ("int8", "fp32")])
@pytest.mark.parametrize("dedup", [True, False])
def test_bytes_of_every_link_are_those_of_the_formula(dedup, wire):
    wires = (wire, wire) if isinstance(wire, str) else wire
    for weighted in (False, True):
        configs = tables(mean=None, dims=(6, 6, 3))
        for name, make in PLANS.items():
            plan = make(configs)
            run = SimWorld(3).run(_step, configs, plan, dedup, wire, weighted)
            for src in range(3):
                for dst in range(3):
                    if src == dst:
                        continue
                    there, _ = expected_link(configs, plan, BATCHES[src], src, dst, dedup, weighted, wires)
                    _, back = expected_link(configs, plan, BATCHES[dst], dst, src, dedup, weighted, wires)
                    assert run.ledger.link(src, dst) == there + back, (name, src, dst, weighted)


def _step(comm, configs, plan, dedup, wire, weighted):
    model = ShardedEmbeddingBagCollection(configs, comm, plan, SGD(0.5), wire, dedup, is_weighted=weighted, init=INIT)
    model(kjt(BATCHES[comm.rank], weighted)).values.sum().backward()


def test_which_choice_is_cheaper_depends_on_the_bags():
    """Many ids a bag: sums travel in fewer bytes. The same few ids in every bag: distinct rows do."""
    config = [EmbeddingBagConfig(400, 16, "t")]
    many = {"t": [list(range(r, 400, 20)) for r in range(20)]}
    same = {"t": [[1, 2]] * 200}
    for bags, cheaper in ((many, False), (same, True)):
        totals = {dedup: SimWorld(2).run(_one, config, bags, dedup).ledger.total() for dedup in (True, False)}
        assert min(totals, key=totals.get) is cheaper
        assert max(totals.values()) > 5 * min(totals.values())


def _one(comm, config, bags, dedup):
    plan = {"t": Sharding("table_wise", 0)}
    model = ShardedEmbeddingBagCollection(config, comm, plan, SGD(0.5), dedup=dedup)
    model(kjt(bags)).values.sum().backward()


def test_replicas_send_their_gradients_alone():
    """dense: the ring's 2(K-1)/K of R·(D + 1) numbers; sparse: each rank's distinct rows to K - 1 others."""
    config = [EmbeddingBagConfig(12, 4, "t")]
    ids = {0: [[0, 1, 1]], 1: [[5]], 2: [[2, 3, 4]]}

    def program(comm, gradient):
        plan = {"t": Sharding("data_parallel", gradient=gradient)}
        model = ShardedEmbeddingBagCollection(config, comm, plan, SGD(0.5))
        model(kjt({"t": ids[comm.rank]})).values.sum().backward()

    heads = 3 * 2 * 4                           # input_dist without a group: only whether the batch is good
    assert SimWorld(3).run(program, "dense").ledger.total() == heads + 2 * 2 * 12 * 5 * 4
    assert SimWorld(3).run(program, "sparse").ledger.total() == heads + 2 * (2 + 1 + 3) * (4 + 4 * 4)


# ---- wires ----------------------------------------------------------------------------------------------------------

@pytest.mark.parametrize("name", list(WIRES))
def test_a_wire_has_the_bytes_and_the_error_it_states(name):
    wire = WIRES[name]
    rows = torch.randn(200, 33, generator=torch.Generator().manual_seed(1)) * torch.logspace(-6, 4, 200)[:, None]
    rows = torch.cat([rows, torch.full((1, 33), 7.3), torch.zeros(1, 33), torch.eye(33)[:1] * 1000])
    message = wire.encode(rows)
    assert message.numel() * message.element_size() == len(rows) * ROW_BYTES[name](33) == len(rows) * wire.row_bytes(33)
    error = (wire.decode(message, 33).double() - rows.double()).abs()
    span = (rows.amax(1) - rows.amin(1)).double()[:, None]
    bound = {"fp32": torch.zeros_like(error),
             "fp16": torch.where(rows.abs() >= 2.0**-14, rows.abs().double() * 2.0**-11, 2.0**-25),
             "int8": span / 510 + rows.abs().amax(1).double()[:, None] * 2.0**-22 + 1e-8 + 0 * error}[name]
    assert (error <= bound).all()
    if name != "fp32":                          # the bound is of the right size: half of it would not hold
        assert (error > bound / 2).any()
    assert torch.equal(wire.decode(message, 33)[-3:-1] == 0, rows[-3:-1] == 0)
    assert wire.decode(wire.encode(rows[:0]), 33).shape == (0, 33)


def test_int8_is_a_scale_and_a_minimum_behind_the_bytes_of_a_row():
    row = torch.tensor([[0.0, 1.0, 2.5, 5.1, -0.0]])
    packed = WIRES["int8"].encode(row).numpy()
    scale, low = packed[5:].view(np.float32)
    assert (scale, low) == (np.float32(5.1) / np.float32(255), 0)
    assert packed[:5].tolist() == np.round(row.numpy()[0] / scale).tolist()
    constant = WIRES["int8"].encode(torch.full((1, 4), -3.25))
    assert WIRES["int8"].decode(constant, 4).tolist() == [[-3.25] * 4]


def test_beyond_the_range_of_half_precision_is_infinite():
    wire = WIRES["fp16"]
    assert wire.decode(wire.encode(torch.tensor([[65504.0, 70000.0, -70000.0]])), 3).tolist() == [
        [65504.0, float("inf"), float("-inf")]]


@pytest.mark.parametrize("dedup", [True, False])
def test_each_direction_goes_by_its_own_wire(dedup):
    """Rows of fp16 and gradients of fp32, and the other way round: what each rounds is seen apart."""
    configs = [EmbeddingBagConfig(6, 3, "t")]
    plan = {"t": Sharding("table_wise", 0)}
    bags = [{"t": []}, {"t": [[1], [4]]}]
    init = Uniform(0.1, seed=2)
    exact = SimWorld(2).run(_wired, configs, plan, bags, "fp32", dedup, init).results[1]
    for wire, outs_exact, rows_exact in ((("fp16", "fp32"), False, True), (("fp32", "fp16"), True, False)):
        outs, rows = SimWorld(2).run(_wired, configs, plan, bags, wire, dedup, init).results[1]
        assert torch.equal(outs[0], exact[0][0]) == outs_exact
        assert torch.equal(rows["t"], exact[1]["t"]) == rows_exact
        torch.testing.assert_close(outs[0], exact[0][0], atol=0.1 * 2.0**-11, rtol=0)
        torch.testing.assert_close(rows["t"], exact[1]["t"], atol=0.5 * 9 / 7 * 2.0**-11, rtol=0)


def _wired(comm, configs, plan, bags, wire, dedup, init):
    return train(comm, configs, plan, bags, steps=1, scale=1 / 7, wire=wire, dedup=dedup, init=init)


def test_wires_are_named():
    for wire in ("fp64", ("fp32",), ("fp32", "bf16"), 3, None):
        with pytest.raises(ValueError, match="fp32, fp16, int8"):
            SimWorld(1).run(lambda comm, wire=wire: ShardedEmbeddingBagCollection(
                tables(), comm, None, SGD(0.1), wire=wire))
