"""The demo from load to files: train, print, draw, write."""

from __future__ import annotations

import json
import time
from dataclasses import asdict

import pslab
from pslab.data import load
from pslab.files import write_aside

from . import modelled, words
from .options import Options
from .picture import draw
from .train import Worlds, follow, size_of, train, yardstick

WORLDS = {"process": "processes", "sim": "simulator", "torch": "torchrun"}


def show(options: Options) -> int:
    """Run the demo; prints to stdout (progress to stderr), writes the picture and, if asked for, the figures."""
    began = time.perf_counter()
    log = load(options.data, options.seed)
    if options.batch_size > len(log.train):
        raise ValueError(f"--batch-size {options.batch_size}: at most {len(log.train)}, the training rows of "
                         f"{log.name}")
    batches = list(log.batches(options.batch_size, options.seed, options.steps))
    with Worlds(options) as worlds:
        worlds.check_data(log)
        if not worlds.leads:
            return follow(options, log, batches, worlds)
        size = size_of(options, log, batches)
        print(words.opening(options, log, size), flush=True)
        measured = [train(options, log, batches, strategy, worlds) for strategy in options.strategies]
        alone = train(options, log, batches, "single", worlds)
    yard = yardstick(log)
    ways = modelled.lines(size, max(options.servers, 1))
    table, sentence = words.results(measured, options), words.sentence(measured, size, options.world == "sim")
    print(f"\n{table}\n{words.beside(measured, yard, alone)}\n\n{sentence}\n")
    print(f"{words.model_table(ways)}\n{words.model_words(size, options)}\n")

    note = (f"{log.name}, K = {options.workers}, S = {options.servers}, {options.batch_size} rows a step; left "
            f"measured ({WORLDS[options.world]}), right modelled; dashed: as many servers as workers")
    write_aside(options.picture, draw(measured, ways, table, note, options.world == "sim").png())
    written = [f"picture: {options.picture}"]
    if options.json is not None:
        yardstick_said = {"name": yard[0], "test_auc": yard[1]}
        parting = modelled.part_from(size, options.servers) if options.servers else None
        figures = {"pslab": pslab.__version__, "options": asdict(options) | {"staleness": str(options.staleness)},
                   "data": {"name": log.name, "note": log.note, "train_rows": len(log.train),
                            "test_rows": len(log.test)},
                   "size": asdict(size), "measured": [asdict(m) | {"bytes": m.bytes} for m in measured],
                   "alone": asdict(alone) | {"bytes": alone.bytes}, "yardstick": yardstick_said, "sentence": sentence,
                   "modelled": {"workers": modelled.WORKERS, "lines": [asdict(line) for line in ways],
                                "dense_part_from": parting},
                   "seconds": time.perf_counter() - began}
        write_aside(options.json, (json.dumps(figures, indent=1) + "\n").encode())
        written.append(f"figures: {options.json}")
    print(f"{'; '.join(written)}; {time.perf_counter() - began:.0f} s in all")
    return 0
