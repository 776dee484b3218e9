"""Three ranks under torchrun: calls that differ, a rank that is missing, one that is stopped, one that is killed.

    torchrun --nproc-per-node=3 tests/torch_agree.py FOLDER      writes FOLDER/rank-R.json: {what: this rank's error}

Every failure ends its world, so each has a world of its own. See test_collectives_agree_torch.py.
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import psutil
import torch
from collectives_calls import CASES, differences, odd_call
from collectives_programs import absent, build, counted, program, receives

from pslab.collectives import all_reduce
from pslab.comm import CommError, TorchWorld

LARGE = 150_001


def told(error, began_s):
    return {"type": type(error).__name__, "text": str(error), "calls": getattr(error, "calls", []),
            "missing": getattr(error, "missing", []), "seconds": time.monotonic() - began_s}


def fails(run, *args, **options):
    """What this rank's error says."""
    began_s = time.monotonic()
    with TorchWorld() as world:
        try:
            world.run(run, *args, **options)
        except CommError as error:
            return told(error, began_s)
    return {"type": "none"}


def in_a_transfer(comm):
    """Rank 1 stops itself when torch.distributed has begun to send, long before 20 MB have left."""
    roads = comm._endpoint.roads
    begin = roads.send

    def stopping(*args):
        handle = begin(*args)
        os.kill(os.getpid(), signal.SIGSTOP)
        return handle

    if comm.rank == 1:
        roads.send = stopping
    all_reduce(comm, torch.ones(15_000_000), algorithm="ring")


def stopped(run, *args):
    """Rank 1 stops itself; when the others have left, it goes on and learns that they are gone."""
    with TorchWorld() as world:
        pids = world.run(lambda comm: os.getpid(), gather=True).results
        began_s = time.monotonic()
        try:
            world.run(run, *args, timeout_s=1.0)
        except CommError as error:
            report = told(error, began_s)
        if world.rank == 0:
            psutil.Process(pids[1]).send_signal(signal.SIGCONT)
        return report


def main(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)         # torchrun ends the others at once: the report comes first
    report, rank = {}, int(os.environ["RANK"])
    for at, case in enumerate(CASES):
        table = differences(*case)
        what = list(table)[at % len(table)]
        report["-".join(case)] = {"what": what, "odd": at % 3, **fails(
            program, build(*case), odd_call(*case, table[what][0]), at % 3)}
    report["missing"] = fails(absent, build("reduce_scatter", "ring"), 1, receives, timeout_s=0.5)
    report["stopped"] = stopped(counted, build("all_reduce", "ring", LARGE), 1, 2, signal.SIGSTOP)
    report["stopped in a transfer"] = stopped(in_a_transfer)
    with TorchWorld() as world:
        began_s = time.monotonic()
        try:
            world.run(counted, build("all_reduce", "halving_doubling", LARGE), 2, 2, signal.SIGKILL)
        except CommError as error:
            report["killed"] = told(error, began_s)
    Path(folder, f"rank-{rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
