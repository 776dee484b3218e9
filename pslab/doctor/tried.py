"""What is really done, not looked up: torch, a simulated ring, processes, Gloo, torchrun, a notebook kernel.

    each probe does the smallest thing of its kind, checks the result against a number worked out by hand,
    and says how long it took
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from .finding import Finding

PART = "tried"
ELEMENTS = 250_000                  # 1 MB of float32: through shared memory where there is some
SLOW_CALL_S = 0.05                  # a warm call takes about 1 ms on an idle machine
SLOW_START_S = 10.0
REINSTALL = "run `make setup`; if that does not help, remove .venv and run it again"


def torch_works() -> Finding:
    """torch is imported and adds; which build it is."""
    start = time.perf_counter()
    import torch

    seconds = time.perf_counter() - start
    if torch.arange(4.0).sum().item() != 6:
        return Finding(PART, "torch", "broken", "torch adds 0 + 1 + 2 + 3 and does not get 6", REINSTALL, True)
    build = f"CUDA {torch.version.cuda} build" if torch.version.cuda else "CPU build"
    value = {"import_s": seconds, "cuda": bool(torch.cuda.is_available())}
    return Finding(PART, "torch", "ok", f"{torch.__version__}, {build}, imported in {seconds:.1f} s", "", True, value)


def ring(comm, elements: int) -> float:
    """Element j of rank r is j*K + r: the sum of element 1 over all ranks is K*K + K(K-1)/2."""
    import torch

    from pslab.collectives import all_reduce

    numbers = (torch.arange(elements) % 1000 * comm.world_size + comm.rank).float()
    all_reduce(comm, numbers)
    return numbers[1].item()


def expected(K: int) -> float:
    return float(K * K + K * (K - 1) // 2)


def simulated(world=None) -> Finding:
    """A ring all-reduce over 8 simulated ranks."""
    from pslab.comm import SimWorld

    start = time.perf_counter()
    run = (world or SimWorld(8)).run(ring, 1000)
    seconds = time.perf_counter() - start
    if set(run.results) != {expected(8)}:
        return Finding(PART, "simulated world", "broken", f"8 ranks summed to {sorted(set(run.results))}, and "
                       f"{expected(8):g} is right", REINSTALL, True)
    said = f"8 ranks, {run.ledger.messages()} messages in {1e3 * seconds:.0f} ms"
    return Finding(PART, "simulated world", "ok", said, "", True, {"seconds": seconds})


def processes(make_world=None) -> Finding:
    """An all-reduce of 1 MB in 2 real processes, then the time of a warm call that does nothing."""
    from pslab.comm import ProcessWorld

    name = "two processes"
    start = time.perf_counter()
    with (make_world or (lambda: ProcessWorld(2)))() as world:
        run = world.run(ring, ELEMENTS, timeout_s=20.0, limit_s=60.0)
        first_s = time.perf_counter() - start
        if set(run.results) != {expected(2)}:
            return Finding(PART, name, "broken", f"they summed to {sorted(set(run.results))}, and {expected(2):g} is "
                           "right", "please report this: numbers were changed on their way between processes", True)
        calls = []
        for _ in range(5):
            start = time.perf_counter()
            world.run(_nothing, timeout_s=20.0, limit_s=60.0)
            calls.append(time.perf_counter() - start)
    warm_s = statistics.median(calls)
    said = f"all-reduce of 1 MB is right; first call {first_s:.1f} s, warm call {1e3 * warm_s:.1f} ms"
    value = {"first_call_s": first_s, "warm_call_s": warm_s}
    if warm_s > SLOW_CALL_S or first_s > SLOW_START_S:
        return Finding(PART, name, "note", f"{said}: slow", "close what else uses the processor; in class, run "
                       "`pslab doctor --class 11.9` to see which demonstrations are affected", True, value)
    return Finding(PART, name, "ok", said, "", True, value)


def gloo(make_world=None) -> Finding:
    """torch.distributed with Gloo between 2 processes, over loopback."""
    from pslab.comm import ProcessWorld

    with tempfile.TemporaryDirectory() as folder, (make_world or (lambda: ProcessWorld(2)))() as world:
        results = world.run(_gloo_program, folder, timeout_s=30.0, limit_s=60.0).results
    if results != [expected(2)] * 2:
        return Finding(PART, "Gloo", "broken", f"two processes summed to {results}, and {expected(2):g} is right",
                       REINSTALL)
    return Finding(PART, "Gloo", "ok", "torch.distributed sums over loopback")


def torchrun(run=subprocess.run, limit_s: float = 60.0) -> Finding:
    """torchrun starts 2 processes that find each other on loopback."""
    loopback = {**os.environ, "GLOO_SOCKET_IFNAME": _loopback(), "OMP_NUM_THREADS": "1"}
    with tempfile.TemporaryDirectory() as folder:
        program = Path(folder) / "both.py"
        program.write_text(_TORCHRUN_PROGRAM, encoding="utf-8")
        command = [sys.executable, "-m", "torch.distributed.run", "--standalone", "--nproc-per-node=2",
                   "--local-addr=127.0.0.1", str(program)]
        start = time.perf_counter()
        try:
            done = run(command, capture_output=True, text=True, timeout=limit_s, env=loopback, cwd=folder)
        except subprocess.TimeoutExpired:
            return Finding(PART, "torchrun", "broken", f"its two processes did not find each other in {limit_s:.0f} s",
                           "a firewall or a strange host name is the usual reason: try with "
                           f"GLOO_SOCKET_IFNAME={_loopback()}; only the torchrun parts need it")
        seconds = time.perf_counter() - start
    if done.returncode or done.stdout.count("sum=1;") != 2:
        last = (done.stderr.strip().splitlines() or ["no message"])[-1]
        return Finding(PART, "torchrun", "broken", f"exit code {done.returncode}: {last}",
                       f"{REINSTALL}; only the torchrun parts need it")
    return Finding(PART, "torchrun", "ok", f"2 processes in {seconds:.1f} s", value={"seconds": seconds})


def kernel(start_kernel=None) -> Finding:
    """A notebook kernel starts and adds; what JupyterLab does when a notebook is opened."""
    from jupyter_client.manager import start_new_kernel

    begun = time.perf_counter()
    manager, client = (start_kernel or start_new_kernel)(
        kernel_name="python3", startup_timeout=60, extra_arguments=["--log-level=ERROR"])
    try:
        heard: list[str] = []
        client.execute_interactive("import pslab; print(1 + 1, pslab.__version__)", timeout=60, store_history=False,
                                   output_hook=lambda message: heard.append(message["content"].get("text", "")))
    finally:
        client.stop_channels()
        manager.shutdown_kernel(now=True)
    seconds = time.perf_counter() - begun
    import pslab

    if "".join(heard).split() != ["2", pslab.__version__]:
        return Finding(PART, "notebook kernel", "broken", "it starts, and another Python answers: pslab is not there",
                       f"{REINSTALL}, and start JupyterLab by `make lab`")
    return Finding(PART, "notebook kernel", "ok", f"answers after {seconds:.1f} s", value={"seconds": seconds})


def _nothing(comm) -> None:
    return None


def _gloo_program(comm, folder: str) -> float:
    import torch
    import torch.distributed as dist

    os.environ["GLOO_SOCKET_IFNAME"] = _loopback()
    store = dist.FileStore(os.path.join(folder, "store"), comm.world_size)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size)
    numbers = (torch.arange(1000) * comm.world_size + comm.rank).float()
    dist.all_reduce(numbers)
    dist.destroy_process_group()
    return numbers[1].item()


def _loopback() -> str:
    return "lo0" if sys.platform == "darwin" else "lo"


_TORCHRUN_PROGRAM = """
import torch
import torch.distributed as dist

dist.init_process_group("gloo")
number = torch.tensor([float(dist.get_rank())])
dist.all_reduce(number)
print(f"sum={number.item():g};", flush=True)
dist.destroy_process_group()
"""
