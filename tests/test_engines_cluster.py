"""The commands of docs/cluster.md: two torchruns as two hosts; the SLURM script, srun and scontrol being stand-ins."""

import json
import os
import re
import socket
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
PAGE = (ROOT / "docs" / "cluster.md").read_text(encoding="utf-8")
SMALL = ["--host", "127.0.0.1", "--steps", "4", "--batch-size", "61", "--table-rows", "40", "--lr", "1.0",
         "--interaction", "cat"]
LOSSES = [0.683145, 0.693539, 0.692973, 0.67224]            # as in test_engines.py

SRUN = """#!/bin/bash
# Both nodes here: whatever follows the options of srun, once a node.
while [[ $1 == --* ]]; do shift; done
for node in 0 1; do SLURM_NODEID=$node "$@" & pids+=($!); done
for pid in "${pids[@]}"; do wait "$pid" || failed=1; done
exit ${failed:-0}
"""
SCONTROL = """#!/bin/bash
[[ "$*" == "show hostnames node[1-2]" ]] && printf '127.0.0.1\\nnode2\\n'
"""


def script():
    found, = re.findall(r"^```slurm\n(.*?)^```$", PAGE, re.MULTILINE | re.DOTALL)
    return found


def environment(**more):
    plain = {name: value for name, value in os.environ.items() if name not in ("RANK", "WORLD_SIZE")}
    return plain | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT)} | more


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def test_the_script_is_one_that_bash_can_read(tmp_path):
    (tmp_path / "train.slurm").write_text(script())
    done = subprocess.run(["bash", "-n", tmp_path / "train.slurm"], capture_output=True, text=True, timeout=20)
    assert (done.returncode, done.stderr) == (0, "")
    assert script().startswith("#!/bin/bash\n#SBATCH ")


@pytest.mark.long
@pytest.mark.serial
def test_the_slurm_script_with_stand_ins(tmp_path):
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL), ("train.slurm", script())):
        (tmp_path / name).write_text(text)
        (tmp_path / name).chmod(0o755)
    variables = {"SLURM_JOB_NODELIST": "node[1-2]", "SLURM_NNODES": "2", "SLURM_JOB_ID": "7", "PYTHON": sys.executable,
                 "PER_NODE": "1", "PORT": str(free_port()), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    done = subprocess.run([tmp_path / "train.slurm", *SMALL, "--json", tmp_path / "losses.json"], cwd=ROOT,
                          capture_output=True, text=True, timeout=110, env=environment(**variables))
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads((tmp_path / "losses.json").read_text())
    assert figures["world_size"] == 2
    assert figures["losses"] == pytest.approx(LOSSES, abs=2e-6)


@pytest.mark.long
@pytest.mark.serial
@pytest.mark.parametrize("way", ["c10d", "static"])
def test_two_torchruns_as_two_hosts(tmp_path, way):
    port, running = free_port(), []
    for node in range(2):
        meet = (["--rdzv-id=job1", "--rdzv-backend=c10d", f"--rdzv-endpoint=127.0.0.1:{port}"] if way == "c10d" else
                [f"--node-rank={node}", "--master-addr=127.0.0.1", f"--master-port={port}"])
        words = [sys.executable, "-m", "torch.distributed.run", "--nnodes=2", "--nproc-per-node=1", *meet, "-m",
                 "pslab", "train", *SMALL, "--json", str(tmp_path / "losses.json")]
        running.append(subprocess.Popen(words, cwd=ROOT, env=environment(), text=True, stdout=subprocess.PIPE,
                                        stderr=subprocess.PIPE))
    try:
        told = [process.communicate(timeout=110) for process in running]
    finally:
        for process in running:
            process.kill()
            process.wait()
    assert [process.returncode for process in running] == [0, 0], told
    assert json.loads((tmp_path / "losses.json").read_text())["losses"] == pytest.approx(LOSSES, abs=2e-6)
    assert sum("loss 0.683145" in out for out, _ in told) == 1                  # one rank speaks
