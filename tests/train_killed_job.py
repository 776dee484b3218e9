"""A real job that is killed in the middle of a step: python train_killed_job.py FOLDER STEP. Used by its test."""

import os
import signal
import sys
from pathlib import Path

from pslab.comm import ProcessWorld
from pslab.data import synthetic_click_log
from pslab.train import Checkpoints, Job, JsonLines, run_job, tables_of

LOG = synthetic_click_log(13, train_rows=400, test_rows=10, tables=(20, 8), num_dense=2)
JOB = Job(tables_of(LOG, 4), 2, "hybrid", 2, 1, bottom=(6, 4), top=(6, 1), pipelined=True)
BATCHES = list(LOG.batches(20, 13, 40))


def train(folder: Path, on_report=None):
    """All 40 steps, or those that are missing in the folder."""
    with ProcessWorld(JOB.world_size) as world:
        return run_job(world, JOB, BATCHES, checkpoints=Checkpoints(folder / "checkpoints", every=10),
                       logs=[JsonLines(folder / "run.jsonl")], on_report=on_report)


def kill_at(step: int):
    """An on_report that ends this process, the ranks' parent, as a machine that fails would."""
    def on_report(rank, value):
        if value[0] == step:
            os.kill(os.getpid(), signal.SIGKILL)
    return on_report


if __name__ == "__main__":
    train(Path(sys.argv[1]), kill_at(int(sys.argv[2])))
