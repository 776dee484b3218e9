"""Start a program under torchrun on free ports, with a deadline; nothing of it outlives the call."""

import contextlib
import os
import subprocess
import sys
from pathlib import Path

import psutil

ROOT = Path(__file__).resolve().parent.parent


def torchrun(ranks, *words, limit_s=100, env=None):
    """(exit code, stdout, stderr) of `torchrun --nproc-per-node=ranks words...`."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone", f"--nproc-per-node={ranks}", *words]
    paths = os.pathsep.join([str(ROOT), str(ROOT / "tests")])
    process = subprocess.Popen(command, cwd=ROOT, text=True, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                               start_new_session=True,
                               env={**os.environ, "PYTHONPATH": paths, "OMP_NUM_THREADS": "1", **(env or {})})
    try:
        out, err = process.communicate(timeout=limit_s)
    finally:
        if process.poll() is None:                        # the ranks have sessions of their own: find them first
            for each in [*psutil.Process(process.pid).children(recursive=True), process]:
                with contextlib.suppress(psutil.NoSuchProcess):
                    each.kill()
            process.communicate()
    return process.returncode, out, err
