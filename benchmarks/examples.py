"""How many processes it takes to beat one: the three examples on servers, beside one process that holds all rows.

    measured    processes of this machine: the same rounds of the same global batches by K workers and S servers
    modelled    the simulator: every process has a core of its own, a row takes what it took the one process here, and
                servers take no time of their own: what is left is what messages cost

    speed-up = seconds of one process / seconds of K + S processes          1.05 or more: they beat one

Under BSP the model learned is the same, so equal rounds are equal work. Medians over repeats; each run starts anew.

    pslab bench examples --json FILE          or          python benchmarks/examples.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
from dataclasses import replace
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import at_least, check_writable, list_of, machine, print_table, summary, time_text, write_json

NAMES = ("logistic", "factorisation", "mlp")
WORKERS = (1, 2, 3, 4)
BEATS = 1.05        # less is what two runs of one thing differ by
MODELLED = (1, 2, 3, 4, 6, 8, 12, 16)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--examples", type=list_of(_name), help=f"which of {', '.join(NAMES)} (default all)")
    parser.add_argument("--workers", type=list_of(at_least(1)), help="numbers of workers K (default 1,2,3,4)")
    parser.add_argument("--servers", type=at_least(1), default=1, help="servers S (default 1)")
    parser.add_argument("--mode", default="bsp", help="bsp, ssp:S, delay:T or asp (default bsp)")
    parser.add_argument("--batch-scale", type=at_least(1), default=1,
                        help="global batches so many times as large: more work a message (default 1)")
    parser.add_argument("--made", action="store_true", help="made data, as where the real data are missing")
    parser.add_argument("--repeats", type=at_least(1), help="runs of each; medians are over these (default 5)")
    parser.add_argument("--quick", action="store_true", help="one run of one epoch each, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    from pslab.examples import mode_of

    repeats = args.repeats or (1 if args.quick else 5)
    try:
        mode_of(args.mode)
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "examples", "machine": machine(), "mode": args.mode, "servers": args.servers,
               "batch_scale": args.batch_scale, "repeats": repeats, "examples": []}
    for name in args.examples or NAMES:
        figures["examples"].append(measure(example_of(name, args), args.workers or WORKERS, args.servers, args.mode,
                                           repeats))
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [f"{found['example']}: {why}" for found in figures["examples"] for why in found["wrong"]]
    for line in wrong:
        print(f"WRONG RESULT: {line}", file=sys.stderr)
    return 1 if wrong else 0


def example_of(name: str, args: argparse.Namespace):
    """The example at its own settings, but for what the options change."""
    from pslab.data import digit_data, rating_data, sparse_data
    from pslab.examples import EXAMPLES

    load = {"logistic": sparse_data, "factorisation": rating_data, "mlp": digit_data}[name]
    example = EXAMPLES[name](data=load("made" if args.made else "auto"))
    return replace(example, batch=args.batch_scale * example.batch, epochs=1 if args.quick else example.epochs)


def measure(example, workers, servers: int, mode: str, repeats: int) -> dict:
    """Figures of one example: one process alone, then each K; speed-ups measured and modelled."""
    from pslab.comm import ProcessWorld
    from pslab.examples import run_example

    def timed(K: int, S: int) -> tuple[dict, object]:
        with ProcessWorld(K + S) as world:
            runs = [run_example(example, world=world, workers=K, servers=S, consistency=mode, points=1, timeout_s=120.0)
                    for _ in range(repeats + 1)][1:]                    # the first one warms up
        return summary([run.seconds for run in runs]), runs[-1]

    alone, reference = timed(1, 0)
    row_s = alone["median_s"] / (example.train_rows * example.epochs)
    found = {"example": example.name, "data": reference.data, "rounds": example.rounds, "batch": example.batch,
             "metric": reference.metric_name, "alone": {**alone, "value": reference.value}, "row_s": row_s,
             "measured": [], "modelled": [], "wrong": []}
    for K in workers:
        timing, run = timed(K, servers)
        found["measured"].append({"K": K, "S": servers, **timing, "value": run.value, "bytes": sum(run.bytes.values()),
                                  "speed_up": alone["median_s"] / timing["median_s"]})
        if mode == "bsp" and abs(run.value - reference.value) > 0.01:
            found["wrong"].append(f"{K} workers end at {run.value:.4f}, one process at {reference.value:.4f}")
    model = replace(example, row_s=row_s, epochs=1)
    for K in sorted({*MODELLED, *workers}):
        seconds = run_example(model, workers=K, servers=servers, consistency=mode, points=1).seconds
        found["modelled"].append({"K": K, "S": servers, "speed_up": row_s * example.train_rows / seconds})
    found["beats_one"] = {kind: next((row["K"] + row["S"] for row in found[kind] if row["speed_up"] >= BEATS), None)
                          for kind in ("measured", "modelled")}
    return found


def show(figures: dict) -> None:
    cores = figures["machine"]["cores"]
    for found in figures["examples"]:
        print(f"\n{found['example']} on {found['data']}: {found['rounds']} rounds of {found['batch']}; one process "
              f"{time_text(found['alone']['median_s'])}, {found['metric']} {found['alone']['value']:.4f}")
        modelled = {row["K"]: row["speed_up"] for row in found["modelled"]}
        print_table(("K + S", "seconds", "speed-up", "modelled", "MB", found["metric"]), [
            (f"{row['K']} + {row['S']}", time_text(row["median_s"]), f"{row['speed_up']:.2f}",
             f"{modelled[row['K']]:.2f}", f"{row['bytes'] / 1e6:.1f}", f"{row['value']:.4f}")
            for row in found["measured"]])
        most = max(row["K"] + row["S"] for row in found["measured"])
        here, there = found["beats_one"]["measured"], found["beats_one"]["modelled"]
        print(f"measured, {cores} cores: " + (f"{here} processes beat one" if here else
                                              f"no number of processes up to {most} beats one"))
        largest = found["modelled"][-1]
        print("modelled, a core each: " + (f"{there} processes beat one" if there else
                                           f"none up to {largest['K'] + largest['S']} beats one")
              + "; speed-ups " + ", ".join(f"{row['speed_up']:.2f} (K = {row['K']})" for row in found["modelled"]))


def _name(text: str) -> str:
    if text not in NAMES:
        raise argparse.ArgumentTypeError(f"{text!r}: one of {', '.join(NAMES)} is needed")
    return text


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
