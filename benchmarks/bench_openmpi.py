"""Open MPI's all-reduce in shared memory, for `pslab bench allreduce --openmpi`: the same loops, started by mpirun.

    allreduce.py ──mpirun -n K──> this file, K times ──a line of JSON──> allreduce.py

Needs `mpirun` (Debian: openmpi-bin) and mpi4py in the same environment; neither is part of the course's own.
"""

from __future__ import annotations

import importlib.util
import json
import os
import shutil
import subprocess
import sys
import time

WARM_CALLS = 3
LIMIT_S = 300
# A container's user is often root, which mpirun refuses unless told twice.
ENVIRONMENT = {"OMPI_ALLOW_RUN_AS_ROOT": "1", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM": "1", "OMP_NUM_THREADS": "1"}


def check_there() -> None:
    """ValueError that says what is missing and how to get it."""
    if shutil.which("mpirun") is None:
        raise ValueError("--openmpi: there is no mpirun on the PATH; Debian and Ubuntu have it in openmpi-bin")
    if importlib.util.find_spec("mpi4py") is None:
        raise ValueError("--openmpi: mpi4py is not installed in this environment; pip install mpi4py")


def measure(K: int, size: int, calls: int, repeats: int) -> dict:
    """`size` bytes of float32: "seconds" a call in each repeat, the slowest rank's; "version"; "correct"."""
    command = ["mpirun", "--oversubscribe", "-n", str(K), sys.executable, os.path.abspath(__file__),
               str(size), str(calls), str(repeats)]
    done = subprocess.run(command, env=os.environ | ENVIRONMENT, capture_output=True, text=True, timeout=LIMIT_S)
    lines = [line for line in done.stdout.splitlines() if line.startswith("{")]
    if done.returncode or not lines:
        raise RuntimeError(f"mpirun ended with {done.returncode}: {done.stderr.strip()[-2000:]}")
    return json.loads(lines[-1])


def rank(size: int, calls: int, repeats: int) -> None:
    """One rank: checks the sum, then times loops of calls after a barrier, as allreduce.py does."""
    import numpy as np
    from mpi4py import MPI

    world = MPI.COMM_WORLD
    K = world.size
    place = (np.arange(size // 4) % 4093).astype(np.float32) * K
    x = place + np.float32(world.rank)
    world.Allreduce(MPI.IN_PLACE, x)
    correct = bool((x == place * K + K * (K - 1) / 2).all())
    x[:] = 0
    for _ in range(WARM_CALLS):
        world.Allreduce(MPI.IN_PLACE, x)
    seconds = []
    for _ in range(repeats):
        world.Barrier()
        began_s = time.perf_counter()
        for _ in range(calls):
            world.Allreduce(MPI.IN_PLACE, x)
        seconds.append(world.allreduce((time.perf_counter() - began_s) / calls, MPI.MAX))
    if world.allreduce(int(correct), MPI.MIN) == 0:
        correct = False
    if world.rank == 0:
        print(json.dumps({"seconds": seconds, "correct": correct, "version": MPI.Get_library_version().split(",")[0]}))


if __name__ == "__main__":
    rank(*map(int, sys.argv[1:]))
