"""Lookup and row update of many embedding tables against torch.nn.EmbeddingBag, one per table, in the same run.

    one step of         forward                                  backward, update
    torch               26 x EmbeddingBag(sparse=True)           sparse gradients, torch.optim's step, zero_grad
    ours                one FusedEmbeddingBagCollection          backward, which updates the rows

    for each repeat      n steps of ours │ n steps of torch      in turn, the first side changes; time = seconds / n

Both sides start from the same rows and see the same batches, several in turn so that rows do not stay in the cache for
the next step. Gradients of the pooled rows are given, whole numbers; ours come as one (bags, tables · dim) matrix, as
from a model that reads the concatenated rows, torch's as one tensor per table, so that it need not concatenate. After
the timed steps the tables of both sides are compared: equal bit for bit with SGD, to 1e-5 with the others.

*By processor time* is the same ratio of what both sides keep the processor busy for, which depends less on what else
the machine does. Ceilings: gathering the rows of all lookups, summing the gradients of equal ids in sorted order.
*Moves* is what a step must read and write of table, state, gradients and results at least.

    pslab bench embedding --json FILE          or          python benchmarks/embedding.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import warnings
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import (
    at_least,
    check_writable,
    list_of,
    machine,
    print_table,
    summary,
    time_text,
    write_json,
)

FLOOR, AIM = 2.0, 3.0           # torch's time over ours
RATES = {"sgd": 0.5, "adagrad": 0.1, "adam": 0.01}      # 0.5: steps over whole numbers stay exact
IDS = ("uniform", "zipf")
ZIPF_EXPONENT, BATCHES = 1.1, 4


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--tables", type=at_least(1), help="tables (default 26)")
    parser.add_argument("--table-rows", type=at_least(1), help="rows of a table (default 100000)")
    parser.add_argument("--dim", type=at_least(1), help="float32 values of a row (default 64)")
    parser.add_argument("--bags", type=at_least(1), help="bags of a table in a batch (default 2048)")
    parser.add_argument("--lookups", type=list_of(at_least(1)), help="ids of a bag (default 1,20)")
    parser.add_argument("--ids", type=list_of(one_of(IDS)), help="which ids (default uniform,zipf)")
    parser.add_argument("--rules", type=list_of(one_of(tuple(RATES))), help="rules (default sgd,adagrad,adam)")
    parser.add_argument("--threads", type=list_of(at_least(1)), help="threads of torch, both sides (default 1)")
    parser.add_argument("--repeats", type=at_least(1), help="inner loops a side (default 9; medians are over these)")
    parser.add_argument("--quick", action="store_true", help="4 tables of 2000 rows, 256 bags, 3 repeats, unless said")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def one_of(allowed: tuple[str, ...]):
    """A `type=` for one of these words."""
    def parse(text: str) -> str:
        if text.strip() not in allowed:
            raise argparse.ArgumentTypeError(f"{text!r}: one of {', '.join(allowed)} is needed")
        return text.strip()
    return parse


def main(args: argparse.Namespace) -> int:
    few = args.quick
    sizes = {"tables": args.tables or (4 if few else 26), "table_rows": args.table_rows or (2000 if few else 100_000),
             "dim": args.dim or 64, "bags": args.bags or (256 if few else 2048)}
    try:
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "embedding", "machine": machine(), "dtype": "float32", "floor": FLOOR, "aim": AIM, **sizes,
               "repeats": args.repeats or (3 if few else 9), "zipf_exponent": ZIPF_EXPONENT}
    figures["results"] = []
    for threads in args.threads or [1]:
        for ids in args.ids or IDS:
            for lookups in args.lookups or ([1, 5] if few else [1, 20]):
                figures["results"] += measure(sizes, ids, lookups, args.rules or list(RATES), threads,
                                              figures["repeats"], 0.01 if few else 0.2)
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [row for row in figures["results"] if row["wrong"]]
    for row in wrong:
        print(f"WRONG RESULT: {name_of(row)}: {row['wrong']}", file=sys.stderr)
    return 1 if wrong else 0


def measure(sizes: dict, ids: str, lookups: int, rules: list[str], threads: int, repeats: int,
            loop_s: float) -> list[dict]:
    """The rows of the table for one kind of ids; an inner loop takes about loop_s, long against the clock."""
    import torch

    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        batches = [batch(sizes, ids, lookups, seed) for seed in range(BATCHES)]
        tops = ceilings(sizes, batches[0], repeats)
        return [{"ids": ids, "lookups": lookups, "rule": rule, "threads": threads, "ceilings": tops,
                 **race(sizes, rule, batches, repeats, loop_s)} for rule in rules]
    finally:
        torch.set_num_threads(before)


def batch(sizes: dict, ids: str, lookups: int, seed: int) -> dict:
    """One batch of both sides: ids (tables, bags · lookups), the input of ours, gradients of the pooled rows."""
    import numpy as np
    import torch

    from pslab.data import KeyedJaggedTensor
    rng, rows = np.random.default_rng([seed, lookups]), sizes["table_rows"]
    shape = (sizes["tables"], sizes["bags"] * lookups)
    if ids == "uniform":
        drawn = rng.integers(0, rows, shape)
    else:       # P(id = i) in proportion to 1 / (i + 1)^exponent, then spread over the table, each its own way
        weight = np.cumsum(1 / np.arange(1, rows + 1) ** ZIPF_EXPONENT)
        drawn = np.searchsorted(weight, rng.random(shape) * weight[-1])
        places = np.random.default_rng(0)
        drawn = np.stack([places.permutation(rows)[part] for part in drawn])
    lengths = np.full(sizes["tables"] * sizes["bags"], lookups)
    grads = rng.integers(-2, 3, (sizes["bags"], sizes["tables"] * sizes["dim"])).astype(np.float32)
    grads = torch.from_numpy(grads)
    return {"ids": list(torch.from_numpy(drawn)), "offsets": torch.arange(0, shape[1], lookups),
            "features": KeyedJaggedTensor([f"f{i}" for i in range(sizes["tables"])], drawn.reshape(-1), lengths),
            "grads": grads, "parts": [part.contiguous() for part in grads.split(sizes["dim"], dim=1)]}


def race(sizes: dict, rule: str, batches: list[dict], repeats: int, loop_s: float) -> dict:
    """Seconds of a step of both sides, in turn, and whether their tables are equal afterwards."""
    ours, theirs = fused(sizes, rule), PerTable(sizes, rule)
    steps = {"ours": lambda one: ours(one["features"]).values.backward(one["grads"]), "torch": theirs.step}
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse invariant checks")
        calls = {}
        for side, step in steps.items():        # the slower side's inner loop takes about loop_s
            began = time.perf_counter()
            for one in batches:
                step(one)
            calls[side] = (time.perf_counter() - began) / len(batches)
        inner = len(batches) * max(1, round(loop_s / max(calls.values()) / len(batches)))
        samples, processor = {side: [] for side in steps}, {side: [] for side in steps}
        for repeat in range(repeats):
            order = list(steps) if repeat % 2 else list(steps)[::-1]
            for side in order:
                began, used = time.perf_counter(), time.process_time()
                for number in range(inner):
                    steps[side](batches[number % len(batches)])
                samples[side].append((time.perf_counter() - began) / inner)
                processor[side].append((time.process_time() - used) / inner)
        theirs.step(batches[0], keep=True)
        steps["ours"](batches[0])
    sides = {side: {**summary(samples[side]), "processor": summary(processor[side])} for side in steps}
    ratio, of_processor = (one["torch"]["median_s"] / one["ours"]["median_s"]
                           for one in (sides, {side: part["processor"] for side, part in sides.items()}))
    return {**sides, "steps": inner, "torch_over_ours": ratio, "torch_over_ours_processor": of_processor,
            "moved_bytes": moved_bytes(sizes, rule, batches[0]), "gradient_bytes": theirs.gradient_bytes,
            "wrong": differences(ours, theirs, exact=rule == "sgd")}


def fused(sizes: dict, rule: str):
    """Our side. Whole numbers to start from with SGD, so that all sums are exact."""
    from pslab import ps
    from pslab.embedding import EmbeddingBagConfig, FusedEmbeddingBagCollection
    tables = [EmbeddingBagConfig(sizes["table_rows"], sizes["dim"], f"f{i}") for i in range(sizes["tables"])]
    first = ps.Integers(-8, 9, seed=1) if rule == "sgd" else ps.Uniform(0.1, seed=1)
    update = {"sgd": ps.SGD, "adagrad": ps.AdaGrad, "adam": ps.Adam}[rule](RATES[rule])
    return FusedEmbeddingBagCollection(tables, update, init=first)


class PerTable:
    """torch's side: a bag per table from our first rows, and one sparse optimizer over all of them."""

    def __init__(self, sizes: dict, rule: str):
        import torch
        first = {name: part for name, part in fused(sizes, rule).state_dict().items() if name.endswith(".weight")}
        self.bags = [torch.nn.EmbeddingBag(*rows.shape, mode="sum", sparse=True, _weight=rows.clone())
                     for rows in first.values()]
        optimizer = {"sgd": torch.optim.SGD, "adagrad": torch.optim.Adagrad, "adam": torch.optim.SparseAdam}[rule]
        self.optimizer = optimizer([bag.weight for bag in self.bags], lr=RATES[rule])
        self.gradient_bytes = 0

    def step(self, one: dict, keep: bool = False) -> None:
        import torch
        pooled = [bag(ids, one["offsets"]) for bag, ids in zip(self.bags, one["ids"])]
        torch.autograd.backward(pooled, one["parts"])
        self.optimizer.step()
        if keep:
            grads = [bag.weight.grad for bag in self.bags]
            self.gradient_bytes = sum(part.nbytes for grad in grads for part in (grad._values(), grad._indices()))
        self.optimizer.zero_grad()


def differences(ours, theirs: PerTable, exact: bool) -> list[str]:
    """The tables whose rows differ; empty where all are equal."""
    import torch
    parts = [part.weight for part in ours.tables.values()]
    equal = torch.equal if exact else lambda one, other: torch.allclose(one, other, rtol=1e-5, atol=1e-5)
    return [f"table f{i}" for i, (one, bag) in enumerate(zip(parts, theirs.bags))
            if not equal(one, bag.weight.detach())]


def moved_bytes(sizes: dict, rule: str, one: dict) -> dict[str, int]:
    """What a step reads and writes at least, each array once: rows looked up, results, gradients, rows and state."""
    row, slots = 4 * sizes["dim"], {"sgd": 0, "adagrad": 1, "adam": 2}[rule]
    bags = sizes["tables"] * sizes["bags"] * row
    distinct = sum(len(ids.unique()) for ids in one["ids"])
    return {"forward": sum(len(ids) for ids in one["ids"]) * row + bags, "backward": bags,
            "update": 2 * distinct * row * (1 + slots), "distinct_rows": distinct}


def ceilings(sizes: dict, one: dict, repeats: int) -> dict:
    """The two passes that nobody can leave out, alone: seconds of gathering and of summing by segments."""
    import torch

    rows = torch.rand(sizes["tables"] * sizes["table_rows"], sizes["dim"])
    keys = torch.cat([ids + table * sizes["table_rows"] for table, ids in enumerate(one["ids"])])
    lookups, bags = len(keys) // (sizes["tables"] * sizes["bags"]), sizes["tables"] * sizes["bags"]
    ordered, order = keys.sort(stable=True)
    starts = torch.cat([torch.zeros(1, dtype=torch.int64), 1 + (ordered[1:] != ordered[:-1]).nonzero().view(-1)])
    grads, source = torch.rand(bags, sizes["dim"]), order // lookups
    into = torch.empty(min(len(keys), 1 << 16), sizes["dim"])

    def gather():
        for first in range(0, len(keys), len(into)):
            part = keys[first:first + len(into)]
            torch.index_select(rows, 0, part, out=into[:len(part)])

    def segment_sum():
        torch.nn.functional.embedding_bag(source, grads, starts, mode="sum")

    def timed(call) -> float:
        began = time.perf_counter()
        call()
        return time.perf_counter() - began

    return {name: summary([timed(call) for _ in range(repeats + 1)][1:])
            for name, call in (("gather", gather), ("segment sum", segment_sum))}


def name_of(row: dict) -> str:
    return f"{row['rule']}, {row['ids']} ids, {row['lookups']} a bag, {row['threads']} threads"


def show(figures: dict) -> None:
    host = figures["machine"]
    print(f"a step of {figures['tables']} tables x {figures['bags']:,} bags, {figures['table_rows']:,} rows x "
          f"{figures['dim']} each, float32; {host['cores']} cores, {host['processor']}; torch {host['torch']}, NumPy "
          f"{host['numpy']}; medians of {figures['repeats']} loops")
    head = ("rule", "ids", "a bag", "threads", "distinct rows", "torch", "ours", "torch/ours", "by processor time",
            "moves", "torch's gradients", "ceilings (best)")
    rows = []
    for row in figures["results"]:
        moved = row["moved_bytes"]
        tops = ", ".join(f"{name} {time_text(top['min_s'])}" for name, top in row["ceilings"].items())
        rows.append((row["rule"], row["ids"], str(row["lookups"]), str(row["threads"]), f"{moved['distinct_rows']:,}",
                     time_text(row["torch"]["median_s"]), time_text(row["ours"]["median_s"]),
                     f"{row['torch_over_ours']:.2f}", f"{row['torch_over_ours_processor']:.2f}",
                     f"{(moved['forward'] + moved['backward'] + moved['update']) / 1e6:.1f} MB",
                     f"{row['gradient_bytes'] / 1e6:.1f} MB", tops))
    print_table(head, rows)
    for word, limit in (("floor", FLOOR), ("aim", AIM)):
        below = [name_of(row) for row in figures["results"] if row["torch_over_ours"] < limit]
        print(f"below the {word} of {limit:g}: " + ("; ".join(below) or "nowhere"))


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(_parser)
    sys.exit(main(_parser.parse_args()))
