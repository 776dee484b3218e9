"""How much of an all-reduce is hidden behind computation, on throttled links between two real processes.

    compute alone    n matrix products                                         c
    comm alone       one blocking all-reduce                                   m
    both             all_reduce(async_op=True), n products, wait()             b       hidden = (c + m − b) / min(c, m)

Nothing hidden: b = c + m; all of the shorter one: b = max(c, m). In each repeat the three are measured one after the
other, each after a barrier; a time is that of the slowest rank, and `hidden` comes from the medians. n is chosen so
that c is about --ratio times m. The simulator's column is the same program in exact virtual time, with the same c.

Then the same for a step of DistributedDataParallel, whose buckets travel while backward goes on: c is forward and
backward without any communication, m the all-reduces of its buckets, one after the other, and b the step. Less can be
hidden there: nothing travels before backward has made its first bucket, and nothing is left to compute when it has made
its last.

    pslab bench overlap --json FILE          or          python benchmarks/overlap.py --quick
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import (
    at_least,
    check_writable,
    list_of,
    machine,
    print_table,
    size_bytes,
    size_text,
    summary,
    time_text,
    write_json,
)

SIZES = [4 << 20, 16 << 20]
GBIT_S = 1.0
SIDE = 512                       # of the square matrices
LAYERS, WIDTH, BUCKET_MB = 4, 1024, 4
PARTS = ("compute", "comm", "both")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=list_of(size_bytes), help="of the tensor (default 4M,16M)")
    parser.add_argument("--repeats", type=at_least(1), help="of each measurement (default 9; medians are over these)")
    parser.add_argument("--gbit-s", type=_positive, default=GBIT_S, help="of every port, each way (default 1)")
    parser.add_argument("--ratio", type=_positive, default=1.0, help="compute time over communication time (default 1)")
    parser.add_argument("--transport", choices=("auto", "shm", "tcp"), default="auto", help="of ProcessWorld")
    parser.add_argument("--no-ddp", action="store_true", help="leave DistributedDataParallel out")
    parser.add_argument("--quick", action="store_true", help="4M, 3 repeats, no DDP, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    sizes = args.sizes or ([4 << 20] if args.quick else SIZES)
    repeats = args.repeats or (3 if args.quick else 9)
    try:
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "overlap", "machine": machine(), "dtype": "float32", "repeats": repeats, "world_size": 2,
               "gbit_s": args.gbit_s, "ratio": args.ratio, "transport": args.transport,
               "results": [measure(size, repeats, args.gbit_s, args.ratio, args.transport) for size in sizes]}
    if not (args.no_ddp or args.quick):
        figures["ddp"] = measure_ddp(repeats, args.gbit_s, args.transport)
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    rows = [*figures["results"], *([figures["ddp"]] if "ddp" in figures else [])]
    for row in rows:
        if not row["correct"]:
            print(f"WRONG RESULT: {row['what']}", file=sys.stderr)
    return 0 if all(row["correct"] for row in rows) else 1


def measure(size: int, repeats: int, gbit_s: float = GBIT_S, ratio: float = 1.0, transport: str = "auto") -> dict:
    """One row: an all-reduce of `size` bytes of float32 over two ranks, beside matrix products."""
    from pslab.comm import Link, ProcessWorld, SimWorld

    link = Link(bandwidth_Bps=gbit_s * 125e6)
    with ProcessWorld(2, transport=transport, link=link) as world:
        run = world.run(race, size // 4, repeats, ratio, timeout_s=120.0)
    row = _row(size_text(size), size, run.results)
    row["calls"] = run.results[0]["products"]
    row["port_bytes"] = run.ledger.port(0)[0] // run.results[0]["all_reduces"]
    simulated = {name: SimWorld(2, link=link, trace=False).run(virtual, size // 4, row["compute"]["median_s"], name)
                 for name in PARTS}
    row["simulator"] = {name: run.seconds for name, run in simulated.items()}
    row["simulator"]["hidden"] = hidden(**row["simulator"])
    return row


def hidden(compute: float, comm: float, both: float) -> float:
    """The share of the shorter of the two that costs no time."""
    return (compute + comm - both) / min(compute, comm)


def _row(what: str, size: int, ranks: list[dict]) -> dict:
    row = {"what": what, "size_bytes": size, "correct": all(rank["right"] for rank in ranks)}
    for name in PARTS:
        row[name] = summary([max(times) for times in zip(*(rank["seconds"][name] for rank in ranks))])
    row["hidden"] = hidden(**{name: row[name]["median_s"] for name in PARTS})
    return row


def race(comm, P: int, repeats: int, ratio: float) -> dict:
    """One rank: the three times of every repeat."""
    import torch

    from pslab.collectives import all_reduce, broadcast

    torch.set_num_threads(1)
    x, a, out = torch.empty(P), torch.randn(SIDE, SIDE), torch.empty(SIDE, SIDE)
    right = is_right(comm, x)
    x.zero_()                                        # zeros stay zeros, however often they are summed

    def products(n: int) -> None:
        for _ in range(n):
            torch.mm(a, a, out=out)

    def both(n: int) -> None:
        work = all_reduce(comm, x, async_op=True)
        products(n)
        work.wait()

    warm = 2
    comm_s = statistics.median(timed(comm, lambda: all_reduce(comm, x)) for _ in range(warm + 1))
    product_s = statistics.median(timed(comm, lambda: products(20)) for _ in range(warm + 1)) / 20
    n = torch.tensor([max(1, round(ratio * comm_s / product_s))])
    broadcast(comm, n, 0)                            # the same work on all ranks
    n = int(n)
    calls = {"compute": lambda: products(n), "comm": lambda: all_reduce(comm, x), "both": lambda: both(n)}
    timed(comm, calls["both"])
    seconds: dict[str, list[float]] = {name: [] for name in PARTS}
    for repeat in range(repeats):
        for turn in range(len(PARTS)):               # who comes first changes
            name = PARTS[(repeat + turn) % len(PARTS)]
            seconds[name].append(timed(comm, calls[name]))
    return {"seconds": seconds, "right": right, "products": n, "all_reduces": 1 + warm + 1 + 1 + 2 * repeats}


def timed(comm, call) -> float:
    comm.barrier()
    start = time.perf_counter()
    call()
    return time.perf_counter() - start


def is_right(comm, x) -> bool:
    """Element j of rank r is (j mod 4093)·K + r; the sum is exact."""
    import torch

    from pslab.collectives import all_reduce
    place = (torch.arange(x.numel()) % 4093).float() * comm.world_size
    x.copy_(place + comm.rank)
    work = all_reduce(comm, x, async_op=True)
    work.wait()
    K = comm.world_size
    return torch.equal(x, place * K + K * (K - 1) / 2)


def virtual(comm, P: int, compute_s: float, part: str) -> None:
    """The same in the simulator, where computing is a number of seconds."""
    import torch

    from pslab.collectives import all_reduce
    if part == "compute":
        comm.compute(compute_s)
        return
    work = all_reduce(comm, torch.zeros(P), async_op=True)
    if part == "both":
        comm.compute(compute_s)
    work.wait()


# ---- DistributedDataParallel ----------------------------------------------------------------------------------------


def measure_ddp(repeats: int, gbit_s: float = GBIT_S, transport: str = "auto") -> dict:
    """One row: a step of DDP, with a batch that makes its computing about as long as its communication."""
    from pslab.comm import Link, ProcessWorld

    with ProcessWorld(2, transport=transport, link=Link(bandwidth_Bps=gbit_s * 125e6)) as world, \
            tempfile.TemporaryDirectory(prefix="pslab-bench-") as folder:
        ranks = world.run(in_group, folder, repeats, timeout_s=120.0).results
    elements = ranks[0]["elements"]
    row = _row(f"DDP, {len(elements)} buckets", 4 * sum(elements), ranks)
    blocking = summary([max(times) for times in zip(*(rank["seconds"]["blocking"] for rank in ranks))])
    return {**row, "blocking": blocking, "bucket_elements": elements, "batch": ranks[0]["batch"]}


def in_group(comm, folder: str, repeats: int) -> dict:
    from pslab.collectives import ddp

    return ddp.run_in_group(comm, race_ddp, comm, repeats, folder=folder)


def race_ddp(comm, repeats: int) -> dict:
    """One rank; torch.distributed has a group."""
    import torch
    from torch.nn.parallel import DistributedDataParallel

    from pslab.collectives import all_reduce, broadcast, ddp

    torch.set_num_threads(1)
    torch.manual_seed(0)
    layers = [torch.nn.Linear(WIDTH, WIDTH) for _ in range(LAYERS)]
    plain = torch.nn.Sequential(*layers)
    models, states = {}, {}
    for name, overlap in (("both", True), ("blocking", False)):
        models[name] = DistributedDataParallel(plain, bucket_cap_mb=BUCKET_MB)
        states[name] = ddp.attach(models[name], comm, overlap=overlap)

    def step(model, x) -> None:
        plain.zero_grad()
        model(x).square().mean().backward()

    x = torch.randn(64, WIDTH)
    for name in models:
        for _ in range(2):                           # DDP cuts its buckets after the first pass
            states[name].elements.clear()
            step(models[name], x)
    gradient = layers[0].weight.grad.clone()
    elements = list(states["both"].elements)
    buckets = [torch.zeros(n) for n in elements]

    def reduce_all() -> None:
        for bucket in buckets:
            all_reduce(comm, bucket, algorithm="ring")

    comm_s = statistics.median(timed(comm, reduce_all) for _ in range(3))
    row_s = statistics.median(timed(comm, lambda: step(plain, x)) for _ in range(3)) / len(x)
    batch = torch.tensor([max(1, round(comm_s / row_s))])
    broadcast(comm, batch, 0)
    x = torch.randn(int(batch), WIDTH, generator=torch.Generator().manual_seed(comm.rank))
    calls = {"compute": lambda: step(plain, x), "comm": reduce_all, "both": lambda: step(models["both"], x),
             "blocking": lambda: step(models["blocking"], x)}
    seconds: dict[str, list[float]] = {name: [] for name in calls}
    for repeat in range(repeats + 1):
        for turn in range(len(calls)):
            name = list(calls)[(repeat + turn) % len(calls)]
            seconds[name].append(timed(comm, calls[name]))
    calls["both"]()
    gradient = layers[0].weight.grad.clone()
    calls["blocking"]()
    right = torch.equal(gradient, layers[0].weight.grad)
    return {"seconds": {name: samples[1:] for name, samples in seconds.items()}, "right": right, "elements": elements,
            "batch": int(batch)}


# ---- out ------------------------------------------------------------------------------------------------------------


def show(figures: dict) -> None:
    host = figures["machine"]
    print(f"float32, 2 processes, links of {figures['gbit_s']:g} Gbit/s each way, {host['cores']} cores, "
          f"{host['processor']}; torch {host['torch']}; medians of {figures['repeats']}, transport "
          f"{figures['transport']}")
    head = ("all-reduce", "port", "compute alone", "comm alone", "both", "hidden", "in the simulator")
    rows = []
    for r in figures["results"]:
        s = r["simulator"]
        rows.append((r["what"], f"{r['port_bytes']:,} B", *(time_text(r[name]["median_s"]) for name in PARTS),
                     f"{r['hidden']:.0%}", f"{time_text(s['both'])}, {s['hidden']:.0%}"))
    print_table(head, rows)
    if "ddp" in figures:
        r = figures["ddp"]
        print(f"\na step of DistributedDataParallel: {LAYERS} layers of {WIDTH} x {WIDTH}, buckets of "
              f"{', '.join(format(4 * n, ',') for n in r['bucket_elements'])} B, {r['batch']} examples a rank")
        head = ("forward and backward", "all-reduces", "sum", "step, blocking hook", "step, buckets travel", "hidden")
        total_s = r["compute"]["median_s"] + r["comm"]["median_s"]
        print_table(head, [(*map(time_text, (r["compute"]["median_s"], r["comm"]["median_s"], total_s,
                                             r["blocking"]["median_s"], r["both"]["median_s"])), f"{r['hidden']:.0%}")])


def _positive(text: str) -> float:
    try:
        value = float(text)
    except ValueError:
        value = 0.0
    if not 0 < value < float("inf"):
        raise argparse.ArgumentTypeError(f"{text!r}: a number above 0 is needed")
    return value


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
