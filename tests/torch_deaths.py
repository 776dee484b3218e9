"""Three ranks under torchrun; the last one kills itself in the middle of a run. See test_comm_torch_world.py.

    rank 0   waits for a tensor of rank 1        both end with RankDied, though neither waits for rank 2
    rank 1   waits for mail of anyone
    rank 2   SIGKILL
"""

import json
import os
import signal
import sys
import time
from pathlib import Path

import torch

from pslab.comm import RankDied, TorchWorld


def program(comm):
    comm.barrier()
    if comm.rank == 2:
        os.kill(os.getpid(), signal.SIGKILL)
    if comm.rank == 0:
        comm.recv(1)
    comm.post(1, "to oneself")
    comm.poll()
    comm.poll()


def main(folder):
    signal.signal(signal.SIGTERM, signal.SIG_IGN)         # torchrun ends the others at once: the report comes first
    world, report = TorchWorld(), {}
    world.run(lambda comm: comm.send(torch.ones(9), 0) if comm.rank else [comm.recv(1), comm.recv(2)])
    began_s = time.monotonic()
    try:
        world.run(program)
    except RankDied as error:
        report = {"rank": error.rank, "text": str(error), "seconds": time.monotonic() - began_s}
    Path(folder, f"rank-{world.rank}.json").write_text(json.dumps(report))


if __name__ == "__main__":
    main(sys.argv[1])
