"""`pslab demo logistic|factorisation|mlp`: one model on servers, and beside it one process that holds all rows."""

from __future__ import annotations

import json
from dataclasses import asdict, replace

import numpy as np

import pslab
from pslab.data import digit_data, rating_data, sparse_data
from pslab.examples import EXAMPLES, Example, ExampleResult, mode_of, run_example
from pslab.files import check_writable, write_aside

LOAD = {"logistic": sparse_data, "factorisation": rating_data, "mlp": digit_data}


def show_example(name: str, args) -> int:
    """Train, print, and write the figures if they are asked for."""
    if args.servers < 1:
        raise ValueError(f"--servers {args.servers}: at least 1 is needed; one process alone is trained besides")
    mode = mode_of(args.mode)
    if args.json is not None:
        check_writable("--json", args.json)
    example = example_of(name, args)
    print(example.data.note)
    print(f"{example.train_rows} rows to train on, {example.rounds} rounds of {example.batch}\n", flush=True)
    served = run_example(example, world=args.world, workers=args.workers, servers=args.servers, consistency=mode)
    print(f"{served.text()}\n", flush=True)
    alone = run_example(example, world=args.world, workers=1, servers=0)
    print(f"{alone.text()}\n\n{sentence(served, alone)}")
    if name == "logistic":
        print(weights_kept(served, example))
    if args.json is not None:
        figures = {"pslab": pslab.__version__, "options": vars(args), "note": example.data.note,
                   "served": _figures(served), "alone": _figures(alone)}
        write_aside(args.json, (json.dumps(figures, indent=1) + "\n").encode())
        print(f"figures: {args.json}")
    return 0


def example_of(name: str, args) -> Example:
    """The example with what the options change."""
    changed = {"seed": args.seed, "data": LOAD[name](args.data, args.seed)}
    changed |= {field: value for field, value in (("epochs", args.epochs), ("batch", args.batch_size))
                if value is not None}
    example = EXAMPLES[name](**changed)
    if getattr(args, "l1", None) is not None:
        example = replace(example, rule=replace(example.rule, l1=args.l1))
    return example


def sentence(served: ExampleResult, alone: ExampleResult) -> str:
    """Who is faster, and by how much, over the same number of rounds."""
    kind = " on the virtual clock" if served.world == "sim" else ""
    ratio = served.seconds / alone.seconds
    how = f"{ratio:.2f} times as long as" if ratio >= 1 else f"{ratio:.2f} of the time of"
    processes = served.workers + served.servers
    return f"{processes} processes took {how} one for the same {served.curve[-1].rounds} rounds{kind}."


def weights_kept(result: ExampleResult, example: Example) -> str:
    """How many weights L1 left."""
    kept = int(np.count_nonzero(result.rows["weights"][1:]))
    return f"{kept} of {example.data.features} weights are not 0 (l1 = {example.rule.l1:g})."


def _figures(result: ExampleResult) -> dict:
    return {"mode": result.mode, "workers": result.workers, "servers": result.servers, "world": result.world,
            "metric": result.metric_name, "value": result.value, "baselines": result.baselines,
            "seconds": result.seconds, "bytes": result.bytes, "losses": result.losses,
            "curve": [asdict(point) for point in result.curve]}
