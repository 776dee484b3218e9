"""Hybrid against both baselines: throughput, bytes, memory and convergence, measured beside the model.

    one DLRM, 13 dense features, a table of R rows and a small one, rows of D numbers, AdaGrad; batch samples a worker
    hybrid      rows on servers, dense part through the ring         K workers and S servers, one process each
    server      everything on servers                                ports throttled to --gbit each way (0: free)
    allreduce   everything through the ring, whole tables too

All three train the same model on the same batches in synchronous rounds: their losses must agree, or the command says
WRONG RESULT and ends with 1. Bytes are a step's, in the busiest direction of the busiest port: with keys, without
headers. The model's line goes on to K = 64. A job whose replicas need more than --memory is not run: a result too.

    pslab bench verdict --json FILE --plot FILE.png          or          python benchmarks/verdict.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import at_least, check_writable, list_of, machine, print_table, time_text, write_json
from verdict_job import (
    STRATEGIES,
    Setting,
    click_log,
    dense_bytes,
    job_of,
    modelled,
    run_one,
    setting_words,
    touched_rows,
)

CLOSE = 1e-4                    # of losses of two strategies, relative
COPIES = 4                      # of a table in a worker that all-reduces it: values, gradients, state, a buffer
MODEL_K = (2, 4, 8, 16, 32, 64)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    plain = Setting()
    parser.add_argument("--workers", type=list_of(at_least(1)), metavar="K,K", help="(default 1,2,3,4)")
    parser.add_argument("--rows", type=list_of(at_least(1)), metavar="R,R",
                        help="of the table (default 10000,100000,1000000,10000000)")
    parser.add_argument("--servers", type=at_least(1), default=plain.servers, help=f"S (default {plain.servers})")
    parser.add_argument("--dim", type=at_least(1), default=plain.dim, help=f"of a row (default {plain.dim})")
    parser.add_argument("--batch", type=at_least(1), help=f"samples of a worker (default {plain.batch})")
    parser.add_argument("--steps", type=at_least(1), help=f"measured, after a first one (default {plain.steps})")
    parser.add_argument("--turns", type=at_least(1), default=1, help="of each job (default 1)")
    parser.add_argument("--gbit", type=float, default=plain.gbit_s, help="of a port, each way; 0: free (default 1)")
    parser.add_argument("--memory", type=float, metavar="GB", help="for all replicas (default: half of what is free)")
    parser.add_argument("--world", choices=("process", "sim"), default="process",
                        help="sim: virtual time, communication alone (default process)")
    parser.add_argument("--quick", action="store_true", help="K 1 and 2, 10,000 and 100,000 rows, 2 steps, batch 64")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")
    parser.add_argument("--plot", type=Path, metavar="FILE.png", help="draw them")


def main(args: argparse.Namespace) -> int:
    if not 0 <= args.gbit < float("inf"):
        print(f"pslab: --gbit {args.gbit}: 0 for free ports, or a number of Gbit/s", file=sys.stderr)
        return 2
    for option, path in (("--json", args.json), ("--plot", args.plot)):
        try:
            if path:
                check_writable(option, path)
        except ValueError as error:
            print(f"pslab: {error}", file=sys.stderr)
            return 2
    setting = Setting(dim=args.dim, batch=args.batch or (64 if args.quick else 256), servers=args.servers,
                      steps=args.steps or (2 if args.quick else 4), turns=args.turns, gbit_s=args.gbit)
    workers = args.workers or ([1, 2] if args.quick else [1, 2, 3, 4])
    rows = args.rows or ([10_000, 100_000] if args.quick else [10_000, 100_000, 1_000_000, 10_000_000])
    budget = args.memory * 1e9 if args.memory else free_memory() / 2
    figures = measure(setting, sorted(set(workers)), sorted(set(rows)), budget, args.world)
    figures["machine"] = machine()
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    if args.plot:
        from pslab import viz

        viz.verdict_bench(figures).save(args.plot)
        print(f"drawn: {args.plot}")
    for line in figures["wrong"]:
        print(f"WRONG RESULT: {line}", file=sys.stderr)
    return 1 if figures["wrong"] else 0


def measure(setting: Setting, workers: list[int], rows: list[int], budget_bytes: float, kind: str) -> dict:
    """{'setting', 'points', 'model', 'equal', 'wrong'}: points by rows, K and strategy."""
    points, model, wrong = [], [], []
    for size in rows:
        compute_s = None
        for K in workers:
            log = click_log(setting, size, K)
            batches = list(log.batches(setting.batch * K, setting.seed, setting.steps + 1))
            dense = dense_bytes(job_of(setting, log, "hybrid", K))
            touched = touched_rows(log, batches, K)
            need = K * COPIES * (size + setting.small_rows) * setting.dim * 4
            if compute_s is None and kind == "process" and need / K <= budget_bytes:   # alone: what a step computes
                alone = click_log(setting, size, 1)
                compute_s = run_one(setting, alone, "allreduce", 1, size, sim_or_process(setting, kind))["step_s"]
            found = {}
            for strategy in STRATEGIES:
                point = {"rows": size, "K": K, "S": setting.servers, "strategy": strategy, "touched": touched,
                         "dense_bytes": dense,
                         "model": modelled(setting, strategy, K, size, dense, touched, compute_s or 0.0)}
                if strategy == "allreduce" and need > budget_bytes:
                    point["not_run"] = f"{need / 1e9:.1f} GB of replicas, {budget_bytes / 1e9:.1f} GB allowed"
                else:
                    found[strategy] = run_one(setting, log, strategy, K, size, sim_or_process(setting, kind))
                    point |= found[strategy]
                points.append(point)
                print("done: " + "  ".join(line(point)[:5]), file=sys.stderr, flush=True)
            wrong += disagreements(found, K, size)
        last = points[-1]
        model += [{"rows": size, "K": K, "strategy": strategy,
                   **modelled(setting, strategy, K, size, last["dense_bytes"], last["touched"], compute_s or 0.0)}
                  for strategy in STRATEGIES for K in MODEL_K]
    return {"benchmark": "verdict", "setting": setting_words(setting), "world": kind, "points": points,
            "model": model, "equal": equal_dense(points), "wrong": wrong}


def disagreements(found: dict, K: int, rows: int) -> list[str]:
    """Strategies whose losses are not those of the first."""
    (first, one), *others = found.items()
    lines = []
    for name, other in others:
        for step, (a, b) in enumerate(zip(one["losses"], other["losses"])):
            if not abs(a - b) <= CLOSE * max(abs(a), abs(b), 1e-9):
                lines.append(f"{rows:,} rows, K={K}, step {step}: loss {a:.6f} of {first}, {b:.6f} of {name}")
                break
    return lines


def equal_dense(points: list[dict]) -> list[dict]:
    """Where K = S: dense bytes a step of a worker's port, ring and servers, from the ledger. At 2 they are equal."""
    lines = []
    for size in dict.fromkeys(point["rows"] for point in points):
        by = {p["strategy"]: p for p in points if p["rows"] == size and p["K"] == p["S"] == 2 and "step_s" in p}
        if {"hybrid", "server"} <= set(by):
            lines.append({"rows": size, "ring": max(by["hybrid"]["worker_dense"]) / by["hybrid"]["steps"],
                          "server": max(by["server"]["worker_dense"]) / by["server"]["steps"]})
    return lines


def sim_or_process(setting: Setting, kind: str):
    from pslab.comm import Link, ProcessWorld, SimWorld

    link = Link(latency_s=setting.latency_s, bandwidth_Bps=setting.bandwidth_Bps) if setting.gbit_s else None
    if kind == "sim":
        return lambda ranks: SimWorld(ranks, link=link or Link(), trace=False)
    return lambda ranks: ProcessWorld(ranks, link=link)


def free_memory() -> float:
    """Bytes that may be had without swapping; 4 GB where nobody says."""
    try:
        line = next(line for line in Path("/proc/meminfo").read_text().splitlines() if line.startswith("MemAvailable"))
        return int(line.split()[1]) * 1024.0
    except (OSError, StopIteration, ValueError):
        return 4e9


# ---- out ------------------------------------------------------------------------------------------------------------

def show(figures: dict) -> None:
    setting = figures["setting"]
    ports = f"{setting['gbit_s']:g} Gbit/s ports" if setting["gbit_s"] else "free ports"
    print(f"S = {setting['servers']}, D = {setting['dim']}, batch {setting['batch']} a worker, {ports}, medians of "
          f"{setting['steps'] * setting['turns']} steps; {figures['world']}")
    head = ("rows", "K", "strategy", "step", "model", "samples/s", "busiest port/step", "model", "worker state",
            "server state", "peak worker", "last loss")
    print_table(head, [line(point) for point in figures["points"]])
    shares = [p["busiest_server_share"] for p in figures["points"] if p.get("busiest_server_share")]
    if shares and setting["servers"] > 1:
        print(f"the model gives each server {1 / setting['servers']:.0%} of the rows touched; the busiest one served "
              f"{min(shares):.0%} to {max(shares):.0%} of them: by so much its port exceeds the model")
    for equal in figures["equal"]:
        same = "equal" if equal["ring"] == equal["server"] else "NOT EQUAL"
        print(f"K = S = 2, {equal['rows']:,} rows: dense bytes through a worker's port, ring {equal['ring']:,.0f}, "
              f"servers {equal['server']:,.0f}: {same}, 2(K-1)/K = K/S = 1")


def line(point: dict) -> tuple[str, ...]:
    model = point["model"]
    start = (f"{point['rows']:,}", str(point["K"]), point["strategy"])
    modelled_bytes = f"{model['busiest_bytes']:,} B"
    if "not_run" in point:
        return (*start, "not run", time_text(model["seconds"]), "-", point["not_run"], modelled_bytes, *["-"] * 4)
    state, peak = point["state_bytes"], point["peak_bytes"]
    rate = f"{point['samples_per_s']:,.0f}" if point["step_s"] else "-"
    return (*start, time_text(point["step_s"]), time_text(model["seconds"]), rate, f"{point['busiest_bytes']:,.0f} B",
            modelled_bytes, f"{state['worker'] / 1e6:.2f} MB", f"{state['server'] / 1e6:.2f} MB",
            f"{peak['worker'] / 1e6:.1f} MB" if peak else "-", f"{point['losses'][-1]:.4f}")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
