"""Every all-reduce by name, and `auto`, in the same run; and throttled links against the closed forms.

    for each K           one ProcessWorld, measured once by pslab.collectives.fit
      for each size      barrier, n calls of the ring │ barrier, n calls of the tree │ … │ barrier, n calls of auto
                         time = max over ranks of the time of the n calls, over n; medians over the repeats

`auto / best` compares auto with the fastest fixed choice of the same run: at most 1.10 is what the kit promises for a
machine with nothing else to do. `prediction` runs two algorithms on throttled links, where pslab.cost says how long
they take: at most 15 % apart from 1 MB on.

    pslab bench algorithms --json FILE --plot FILE          or          python benchmarks/algorithms.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
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

SIZES = [1 << power for power in range(10, 25, 2)]
FIT_SIZES = [*SIZES, 64 << 20]
FIXED = {"ring": {}, "chunked_ring": {}, "binomial": {}, "halving_doubling": {}, "recursive_doubling": {},
         "hierarchical": {"groups": 2}}
SHORT = {"ring": "ring", "chunked_ring": "chunked", "binomial": "binomial", "halving_doubling": "halving-d.",
         "recursive_doubling": "doubling", "hierarchical": "pairs", "auto": "auto"}
LOOP_S = 0.008               # an inner loop takes about this long
MAX_CALLS = 100
LINKS_GBIT = (1, 4)          # of the throttled worlds
PREDICTED = ("ring", "halving_doubling")
PREDICTED_SIZES = [1 << 20, 4 << 20, 16 << 20, 64 << 20]
PARTS = ("choice", "prediction")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=list_of(size_bytes), help="of the tensor (default 1K to 16M, and 64M at K = 2)")
    parser.add_argument("--world-sizes", type=list_of(at_least(2)), help="numbers of ranks (default 2,3,4)")
    parser.add_argument("--repeats", type=at_least(1), help="inner loops a side (default 9; medians are over these)")
    parser.add_argument("--transport", choices=("auto", "shm", "tcp"), default="auto", help="of ProcessWorld")
    parser.add_argument("--pin", action="store_true", help="every rank stays on its core")
    parser.add_argument("--part", choices=PARTS, help="only this one (default both)")
    parser.add_argument("--quick", action="store_true", help="4K and 1M, K = 2, 3 repeats, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw time over size, and where auto switches")


def main(args: argparse.Namespace) -> int:
    repeats = args.repeats or (3 if args.quick else 9)
    world_sizes = args.world_sizes or ([2] if args.quick else [2, 3, 4])
    sizes = args.sizes or ([4 << 10, 1 << 20] if args.quick else SIZES)
    long = args.sizes or ([1 << 20] if args.quick else PREDICTED_SIZES)
    parts = [args.part] if args.part else PARTS
    try:
        for option, path in (("--json", args.json), ("--plot", args.plot)):
            if path:
                check_writable(option, path)
        if args.plot and args.plot.suffix != ".png":
            raise ValueError(f"--plot {args.plot}: a name that ends in .png is needed")
        if args.plot and "choice" not in parts:
            raise ValueError(f"--plot {args.plot}: what it draws is of --part choice")
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "algorithms", "machine": machine(), "dtype": "float32", "repeats": repeats,
               "transport": args.transport, "pin": args.pin, "worlds": [], "prediction": []}
    if "choice" in parts:
        for K in world_sizes:
            more = [64 << 20] if K == 2 and not (args.sizes or args.quick) else []
            figures["worlds"].append(measure(K, [*sizes, *more], repeats, args.transport, args.pin))
        show_choice(figures)
    if "prediction" in parts:
        for K in [K for K in world_sizes if K <= 3]:
            for gbit in LINKS_GBIT:
                figures["prediction"] += predict(K, long, repeats, args.transport, args.pin, gbit)
        show_prediction(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    if args.plot:
        from algorithms_picture import picture
        picture(figures).save(args.plot)
        print(f"picture: {args.plot}")
    wrong = [f"K = {w['world_size']}, {size_text(r['size_bytes'])}: {r['wrong']}"
             for w in figures["worlds"] for r in w["results"] if r["wrong"]]
    for line in wrong:
        print(f"WRONG RESULT: {line}", file=sys.stderr)
    return 1 if wrong else 0


def measure(K: int, sizes: list[int], repeats: int, transport: str, pin: bool) -> dict:
    """One world: what fit finds, and every size."""
    from pslab.collectives import fit
    from pslab.comm import ProcessWorld

    with ProcessWorld(K, transport=transport, pin=pin) as world:
        world.warm_up()
        began_s = time.perf_counter()
        model = fit(world, sizes=[size for size in FIT_SIZES if size <= max(sizes)] or sizes, limit_s=20.0)
        fit_s = time.perf_counter() - began_s
        results = [one_size(world, model, size, repeats) for size in sizes]
    return {"world_size": K, "fit_s": fit_s, "alpha_s": model.link.alpha_s, "bandwidth_Bps": model.link.bandwidth_Bps,
            "factors": {name: [list(point) for point in points] for name, points in model.factors.items()},
            "switches": [list(switch) for switch in model.switches(min(sizes), max(sizes))], "results": results}


def one_size(world, model, size: int, repeats: int) -> dict:
    """One row of the table."""
    ranks = world.run(race, size // 4, repeats, timeout_s=300.0).results
    row = {"size_bytes": size, "chosen": model.fastest(size // 4).algorithm,
           "wrong": sorted({side for rank in ranks for side in rank["wrong"]})}
    for side in (*FIXED, "auto"):
        row[side] = summary([max(times) for times in zip(*(rank["seconds"][side] for rank in ranks))])
    row["best"] = min(FIXED, key=lambda name: row[name]["median_s"])
    row["auto_over_best"] = row["auto"]["median_s"] / row[row["best"]]["median_s"]
    return row


def race(comm, P: int, repeats: int) -> dict:
    """One rank of the measurement: checks every side, then times them in turn."""
    import torch

    from pslab.collectives import all_reduce, broadcast

    x = torch.empty(P)
    sides = {name: lambda name=name: all_reduce(comm, x, algorithm=name, **FIXED[name]) for name in FIXED}
    sides["auto"] = lambda: all_reduce(comm, x)
    wrong = [side for side in sides if not is_right(comm, x, sides[side])]
    x.zero_()                                        # zeros stay zeros, however often they are summed
    calls = {}
    for side in sides:
        n = torch.tensor([min(MAX_CALLS, max(1, int(LOOP_S / timed(comm, sides[side], 2))))])
        broadcast(comm, n, 0)                        # all ranks must make the same number of calls
        calls[side] = int(n)
    seconds: dict[str, list[float]] = {side: [] for side in sides}
    names = list(sides)
    for repeat in range(repeats):
        for turn in range(len(names)):               # who comes first changes: nobody always follows the same side
            side = names[(repeat + turn) % len(names)]
            seconds[side].append(timed(comm, sides[side], calls[side]))
    return {"seconds": seconds, "wrong": wrong}


def timed(comm, call, n: int) -> float:
    """Seconds per call of n calls back to back, after a barrier, on this rank."""
    comm.barrier()
    start = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - start) / n


def is_right(comm, tensor, call) -> bool:
    """Element j of rank r is (j mod 4093)·K + r: whole numbers with an exact sum."""
    import torch
    K = comm.world_size
    place = (torch.arange(tensor.numel()) % 4093).float() * K
    tensor.copy_(place + comm.rank)
    call()
    return torch.equal(tensor, place * K + K * (K - 1) / 2)


def predict(K: int, sizes: list[int], repeats: int, transport: str, pin: bool, gbit: float) -> list[dict]:
    """Measured and predicted seconds on links of so many Gbit/s and 50 µs."""
    from pslab import cost
    from pslab.comm import Link, ProcessWorld

    link = Link(latency_s=50e-6, bandwidth_Bps=gbit * 125e6)
    form = cost.AlphaBeta(link.latency_s + link.overhead_s, link.bandwidth_Bps, link.overhead_s)
    rows = []
    with ProcessWorld(K, transport=transport, pin=pin, link=link) as world:
        for size in sizes:
            ranks = world.run(throttled, size // 4, repeats, timeout_s=300.0).results
            for name in PREDICTED:
                row = summary([max(times) for times in zip(*(rank[name] for rank in ranks))])
                row |= {"world_size": K, "gbit_per_s": gbit, "size_bytes": size, "algorithm": name,
                        "predicted_s": cost.all_reduce_s(name, size // 4, K, form)}
                rows.append(row | {"measured_over_predicted": row["median_s"] / row["predicted_s"]})
    return rows


def throttled(comm, P: int, repeats: int) -> dict:
    """One rank: single calls, each after a barrier; the first of each warms up."""
    import torch

    from pslab.collectives import all_reduce

    x, seconds = torch.zeros(P), {name: [] for name in PREDICTED}
    for _ in range(repeats + 1):
        for name in PREDICTED:
            seconds[name].append(timed(comm, lambda name=name: all_reduce(comm, x, algorithm=name), 1))
    return {name: times[1:] for name, times in seconds.items()}


def show_choice(figures: dict) -> None:
    host = figures["machine"]
    print(f"all-reduce of float32, sum; {host['cores']} cores, {host['processor']}; torch {host['torch']}, "
          f"NumPy {host['numpy']}; medians of {figures['repeats']} loops, transport {figures['transport']}"
          + (", ranks pinned to cores" if figures["pin"] else ""))
    rows = []
    for w in figures["worlds"]:
        for r in w["results"]:
            rows.append((str(w["world_size"]), size_text(r["size_bytes"]),
                         *(time_text(r[side]["median_s"]) for side in (*FIXED, "auto")), SHORT[r["chosen"]],
                         f"{r['auto_over_best']:.2f}"))
    print_table(("K", "size", *(SHORT[side] for side in (*FIXED, "auto")), "auto takes", "auto/best"), rows)
    for w in figures["worlds"]:
        print(f"K = {w['world_size']}: fit took {w['fit_s']:.1f} s; auto takes "
              + ", ".join(f"{SHORT[name]} from {size_text(size // 4 * 4)}" for size, name in w["switches"]))
    ratios = [(r["auto_over_best"], f"K = {w['world_size']}, {size_text(r['size_bytes'])}")
              for w in figures["worlds"] for r in w["results"]]
    over = [where for ratio, where in ratios if ratio > 1.1]
    print(f"auto / best: {max(ratios)[0]:.2f} at worst ({max(ratios)[1]}); above 1.10: {'; '.join(over) or 'nowhere'}")


def show_prediction(figures: dict) -> None:
    print("\nthrottled links with 50 µs of latency: single calls, measured against pslab.cost")
    print_table(("K", "link", "algorithm", "size", "predicted", "measured", "measured/predicted"), [
        (str(r["world_size"]), f"{r['gbit_per_s']} Gbit/s", SHORT[r["algorithm"]], size_text(r["size_bytes"]),
         time_text(r["predicted_s"]), time_text(r["median_s"]), f"{r['measured_over_predicted']:.3f}")
        for r in figures["prediction"]])
    ratios = [r["measured_over_predicted"] for r in figures["prediction"]]
    if ratios:
        print(f"measured / predicted: {min(ratios):.3f} to {max(ratios):.3f}")


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(_parser)
    sys.exit(main(_parser.parse_args()))
