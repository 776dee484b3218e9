"""Samples a second of tables sharded over processes: ours beside TorchRec's, of the same rows, ids and loss.

    26 tables of 100,000 x 64, table-wise on 2 processes of one thread each, 2,048 bags of one id a table and process

A step is forward (ids travel, rows come back), backward (gradients travel) and the rule's step of the touched rows.
Both sides do the same steps from the same first rows; sums of the outputs after them must agree. The two are run in
turns, and medians are over the steps of all turns, each as long as its slowest process took. "CPU" is what the
processes computed for a step together: on a machine with other work it says more than the clock does.

TorchRec is not part of the course's own environment: `make torchrec` installs it beside it. Without it our side runs
alone, and what is missing is named.

    pslab bench sharded --json FILE          or          python benchmarks/sharded.py --quick
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import asdict
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import at_least, check_writable, machine, print_table, time_text, write_json
from sharded_job import Job, check_sums, first_rows, ids_of, loss_weights

FLOOR, AIM = 1.2, 1.5
CLOSE = 1e-4                     # of sums of 2,048 float32 values, in units of the largest
LIMIT_S = 600
FOLDER = Path(__file__).resolve().parent


def add_arguments(parser: argparse.ArgumentParser) -> None:
    job = Job()
    parser.add_argument("--processes", type=at_least(1), default=2, help="(default 2)")
    parser.add_argument("--tables", type=at_least(1), default=job.tables, help=f"(default {job.tables})")
    parser.add_argument("--rows", type=at_least(1), default=job.rows, help=f"of a table (default {job.rows:,})")
    parser.add_argument("--dim", type=at_least(1), default=job.dim, help=f"of a row (default {job.dim})")
    parser.add_argument("--batch", type=at_least(1), default=job.batch, help=f"of a process (default {job.batch:,})")
    parser.add_argument("--ids", choices=("uniform", "zipf"), default=job.ids, help="(default uniform)")
    parser.add_argument("--rule", choices=("sgd", "rowwise_adagrad"), default=job.rule, help="(default sgd)")
    parser.add_argument("--steps", type=at_least(1), help="of a turn (default 20)")
    parser.add_argument("--turns", type=at_least(1), help="of each side (default 3)")
    parser.add_argument("--plan", choices=("table_wise", "row_wise", "column_wise"), default="table_wise",
                        help="of our side; TorchRec's is table_wise (default table_wise)")
    parser.add_argument("--no-dedup", action="store_true", help="our side: owners pool, every lookup travels")
    parser.add_argument("--torchrec-python", type=Path, metavar="PATH",
                        help="the interpreter that has TorchRec (default: that of `make torchrec`, else this one)")
    parser.add_argument("--quick", action="store_true", help="5 steps, 1 turn, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    job = Job(args.tables, args.rows, args.dim, args.batch, args.ids, rule=args.rule,
              steps=args.steps or (5 if args.quick else 20))
    turns = args.turns or (1 if args.quick else 3)
    try:
        if args.plan == "column_wise" and args.dim % args.processes:
            raise ValueError(f"--dim {args.dim} cannot be cut into --processes {args.processes} equal parts")
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    python, missing = torchrec_python(args.torchrec_python)
    sides: dict[str, list] = {"pslab": [], "torchrec": []}
    for _ in range(turns):
        sides["pslab"].append(ours(job, args.processes, args.plan, not args.no_dedup))
        if not missing:
            sides["torchrec"].append(theirs(job, args.processes, python))
    figures = {"benchmark": "sharded", "machine": machine(), "processes": args.processes, "plan": args.plan,
               "dedup": not args.no_dedup, "turns": turns, "job": asdict(job), "missing": missing,
               **{side: figures_of(runs, job, args.processes) for side, runs in sides.items() if runs}}
    figures["wrong"] = differences(sides)
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    for line in figures["wrong"]:
        print(f"WRONG RESULT: {line}", file=sys.stderr)
    return 1 if figures["wrong"] else 0


def ours(job: Job, size: int, plan: str, dedup: bool) -> list[dict]:
    """One turn of our side: a dict per rank."""
    from pslab.comm import ProcessWorld

    with ProcessWorld(size) as world:
        return world.run(our_rank, job, plan, dedup, timeout_s=LIMIT_S).results


def our_rank(comm, job: Job, kind: str, dedup: bool) -> dict:
    import torch

    from pslab.embedding import EmbeddingBagConfig, KeyedJaggedTensor, ShardedEmbeddingBagCollection, Sharding
    from pslab.ps import SGD, RowWiseAdaGrad, Zeros

    torch.set_num_threads(1)
    names = job.names()
    plan = {name: Sharding(kind, i % comm.world_size if kind == "table_wise" else None)
            for i, name in enumerate(names)}
    rule = SGD(job.lr) if job.rule == "sgd" else RowWiseAdaGrad(job.lr, eps=1e-8)
    model = ShardedEmbeddingBagCollection([EmbeddingBagConfig(job.rows, job.dim, name) for name in names], comm, plan,
                                          rule, dedup=dedup, init=Zeros())
    for i, name in enumerate(names):
        if kind != "table_wise" or i % comm.world_size == comm.rank:
            model.load_rows(name, torch.from_numpy(first_rows(job, i)))
    lengths = torch.ones(job.tables * job.batch, dtype=torch.int64)
    batches = [KeyedJaggedTensor(names, torch.from_numpy(ids_of(job, comm.rank, s)), lengths)
               for s in range(job.batches)]
    weights = torch.from_numpy(loss_weights(job, comm.rank))

    def step(number: int) -> None:
        (model(batches[number % job.batches]).values * weights).sum().backward()

    for number in range(job.warm):
        step(number)
    samples, cpu_s = [], time.process_time()
    for number in range(job.steps):
        comm.barrier()
        began_s = time.perf_counter()
        step(job.warm + number)
        samples.append(time.perf_counter() - began_s)
    cpu_s = (time.process_time() - cpu_s) / job.steps
    with torch.no_grad():
        checks = check_sums(model(batches[0]).values.numpy())
    return {"rank": comm.rank, "seconds": samples, "cpu_s": cpu_s, "checks": checks}


def theirs(job: Job, size: int, python: Path) -> list[dict]:
    """One turn of TorchRec: a dict per rank."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        running = []
        for rank in range(size):
            with open(Path(folder, f"{rank}.out"), "w") as out, open(Path(folder, f"{rank}.err"), "w") as err:
                running.append(subprocess.Popen(
                    [python, FOLDER / "sharded_torchrec.py", str(rank), str(size), f"{folder}/store",
                     json.dumps(asdict(job))], env=environment, stdout=out, stderr=err))
        try:
            codes = [process.wait(timeout=LIMIT_S) for process in running]
        finally:
            for process in running:
                process.kill()
                process.wait()
        results = []
        for rank, code in enumerate(codes):
            lines = [line for line in Path(folder, f"{rank}.out").read_text().splitlines() if line.startswith("{")]
            if code or not lines:
                raise RuntimeError(f"TorchRec's process {rank} ended with {code}: "
                                   f"{Path(folder, f'{rank}.err').read_text().strip()[-2000:]}")
            results.append(json.loads(lines[-1]))
    return results


def torchrec_python(given: Path | None) -> tuple[Path, str]:
    """(interpreter, what is missing there): "" when it has TorchRec."""
    beside = FOLDER.parent / ".venv-torchrec" / "bin" / "python"
    python = given or (beside if beside.exists() else Path(sys.executable))
    probe = ("import importlib.util as u, sys; print(' '.join(n for n in ('torch', 'torchrec', 'fbgemm_gpu') "
             "if u.find_spec(n) is None))")
    try:
        done = subprocess.run([python, "-c", probe], capture_output=True, text=True, timeout=60)
    except OSError as error:
        return python, f"{python} ({error.strerror})"
    if done.returncode:
        return python, f"{python} ({done.stderr.strip()[-200:]})"
    return python, ", ".join(done.stdout.split())


def figures_of(turns: list[list[dict]], job: Job, size: int) -> dict:
    """A step takes as long as its slowest rank; CPU is all ranks' together, the least of the turns."""
    steps = [max(seconds) for ranks in turns for seconds in zip(*(rank["seconds"] for rank in ranks))]
    median_s = statistics.median(steps)
    more = {name: turns[0][0][name] for name in ("torchrec", "fbgemm") if name in turns[0][0]}
    return {"median_s": median_s, "min_s": min(steps), "samples_per_s": size * job.batch / median_s,
            "cpu_s": min(sum(rank["cpu_s"] for rank in ranks) for ranks in turns), "samples_s": steps, **more}


def differences(sides: dict[str, list]) -> list[str]:
    """Ranks whose checked sums differ between turns or sides."""
    wrong = []
    first = sides["pslab"][0]
    for side, turns in sides.items():
        for turn, ranks in enumerate(turns):
            for rank, (mine, reference) in enumerate(zip(ranks, first)):
                most = max(map(abs, reference["checks"]))
                worst = max(abs(a - b) for a, b in zip(mine["checks"], reference["checks"]))
                if not worst <= CLOSE * most:
                    wrong.append(f"{side}, turn {turn}, rank {rank}: a sum is {worst:.3g} away (largest {most:.3g})")
    return wrong


def show(figures: dict) -> None:
    job = figures["job"]
    print(f"{job['tables']} tables of {job['rows']:,} x {job['dim']}, {figures['processes']} processes, "
          f"{job['batch']:,} bags of one id a table and process, {job['ids']} ids, {job['rule']}; "
          f"ours {figures['plan']}, {'distinct rows' if figures['dedup'] else 'sums of bags'} travel")
    rows = [(side, time_text(figures[side]["median_s"]), time_text(figures[side]["min_s"]),
             f"{figures[side]['samples_per_s']:,.0f}", time_text(figures[side]["cpu_s"]))
            for side in ("pslab", "torchrec") if side in figures]
    print_table(("", "step, median", "fastest", "samples/s", "CPU a step"), rows)
    if "torchrec" in figures:
        ratio = figures["pslab"]["samples_per_s"] / figures["torchrec"]["samples_per_s"]
        cpu = figures["torchrec"]["cpu_s"] / figures["pslab"]["cpu_s"]
        print(f"samples/s: {ratio:.2f} times TorchRec's (floor {FLOOR}, aim {AIM}); TorchRec uses {cpu:.2f} times our "
              f"CPU; outputs after {job['warm'] + job['steps']} steps {'agree' if not figures['wrong'] else 'DIFFER'}")
    else:
        print(f"TorchRec was not run; missing: {figures['missing']}. `make torchrec` installs what it needs.")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_arguments(parser)
    sys.exit(main(parser.parse_args()))
