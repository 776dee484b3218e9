"""All-reduce against Gloo, in the same run, in the same processes.

    for each K and size    one ProcessWorld run; inside its K ranks a Gloo group of the same K processes
      for each repeat      barrier, n calls of ours │ barrier, n calls of Gloo │ barrier, n calls of ours on kit memory
                           time = max over ranks of the time of the n calls, over n

`ours` reduces an ordinary tensor (torch.empty), `ours, kit memory` one from `comm.empty`, Gloo the same ordinary one.
All sides get the same barrier, the same clock and one thread a process; what each computes is checked in the run that
times it. With --openmpi, Open MPI's all-reduce of an ordinary array runs after them, K processes of its own, the same
number of calls and loops. Bytes are those of the ledger; busbw = algbw · 2(K−1)/K as in nccl-tests; ceilings are
measured by one rank while the others wait, on tensors of the same size.

    pslab bench allreduce --json FILE          or          python benchmarks/allreduce.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from datetime import timedelta
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import bench_openmpi
from bench_common import (
    at_least,
    check_writable,
    list_of,
    machine,
    print_table,
    size_bytes,
    size_text,
    summary,
    time_text,
    write_json,
)

SIZES = [4 << 10, 64 << 10, 1 << 20, 16 << 20, 64 << 20]
SIDES = ("ours", "gloo", "kit")
LOOP_S = 0.06                # an inner loop takes about this long: long against the clock and the barrier
MAX_CALLS = 500
WARM_CALLS = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--sizes", type=list_of(size_bytes), help="of the tensor (default 4K,64K,1M,16M,64M)")
    parser.add_argument("--world-sizes", type=list_of(at_least(2)), help="numbers of ranks (default 2,4)")
    parser.add_argument("--repeats", type=at_least(1), help="inner loops a side (default 9; medians are over these)")
    parser.add_argument("--transport", choices=("auto", "shm", "tcp"), default="auto", help="of ProcessWorld")
    parser.add_argument("--pin", action="store_true", help="every rank stays on its core, for both sides alike")
    parser.add_argument("--openmpi", action="store_true", help="measure Open MPI too; needs mpirun and mpi4py")
    parser.add_argument("--quick", action="store_true", help="4K and 1M, K = 2, 3 repeats, unless said otherwise")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    sizes = args.sizes or ([4 << 10, 1 << 20] if args.quick else SIZES)
    world_sizes = args.world_sizes or ([2] if args.quick else [2, 4])
    repeats = args.repeats or (3 if args.quick else 9)
    try:
        if args.json:
            check_writable("--json", args.json)
        if args.openmpi:
            bench_openmpi.check_there()
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "allreduce", "machine": machine(), "dtype": "float32", "repeats": repeats,
               "transport": args.transport, "pin": args.pin, "results": []}
    for K in world_sizes:
        for size in sizes:
            row = measure(K, size, repeats, args.transport, args.pin)
            if args.openmpi:
                add_openmpi(row, repeats)
            figures["results"].append(row)
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [r for r in figures["results"] if not r["correct"]]
    for r in wrong:
        print(f"WRONG RESULT: K = {r['world_size']}, {size_text(r['size_bytes'])}: {r['wrong']}", file=sys.stderr)
    return 1 if wrong else 0


def measure(K: int, size: int, repeats: int, transport: str, pin: bool) -> dict:
    """One row of the table: K ranks, `size` bytes of float32."""
    from pslab.comm import ProcessWorld

    with ProcessWorld(K, transport=transport, pin=pin) as world:
        ledger = world.run(one_call, size // 4).ledger
        with tempfile.TemporaryDirectory(prefix="pslab-bench-") as folder:
            ranks = world.run(race, size // 4, repeats, os.path.join(folder, "store"), timeout_s=300.0).results
    row = {"world_size": K, "size_bytes": size, "calls": ranks[0]["calls"],
           "port_bytes": ledger.busiest_port()[2], "total_bytes": ledger.total(),
           "wrong": sorted({side for rank in ranks for side in rank["wrong"]}),
           "ceilings": {name: summary(samples) for name, samples in ranks[0]["ceilings"].items()}}
    row["correct"] = not row["wrong"]
    for side in SIDES:
        slowest = [max(times) for times in zip(*(rank["seconds"][side] for rank in ranks))]
        row[side] = summary(slowest)
        row[side]["busbw_Bps"] = size / row[side]["median_s"] * 2 * (K - 1) / K
    for side in ("ours", "kit"):
        row[f"gloo_over_{side}"] = row["gloo"]["median_s"] / row[side]["median_s"]
    return row


def add_openmpi(row: dict, repeats: int) -> None:
    """The same row by Open MPI, in processes of its own."""
    there = bench_openmpi.measure(row["world_size"], row["size_bytes"], row["calls"]["ours"], repeats)
    K, side = row["world_size"], summary(there["seconds"])
    side["busbw_Bps"] = row["size_bytes"] / side["median_s"] * 2 * (K - 1) / K
    row["openmpi"], row["openmpi_version"] = side, there["version"]
    row["openmpi_over_ours"] = side["median_s"] / row["ours"]["median_s"]
    row["openmpi_over_kit"] = side["median_s"] / row["kit"]["median_s"]
    if not there["correct"]:
        row["wrong"], row["correct"] = [*row["wrong"], "openmpi"], False


def one_call(comm, P: int) -> None:
    """For the ledger: what one call moves."""
    import torch

    from pslab.collectives import all_reduce
    all_reduce(comm, torch.zeros(P))


def race(comm, P: int, repeats: int, store_path: str) -> dict:
    """One rank of the measurement: checks every side, then times them in turn."""
    os.environ["GLOO_SOCKET_IFNAME"] = "lo"          # loopback, whatever the host's name resolves to
    import torch
    import torch.distributed as dist

    from pslab.collectives import all_reduce, broadcast

    torch.set_num_threads(1)
    store = dist.FileStore(store_path, comm.world_size)
    dist.init_process_group("gloo", store=store, rank=comm.rank, world_size=comm.world_size,
                            timeout=timedelta(seconds=120))
    try:
        ordinary, kit = torch.empty(P), comm.empty(P)
        sides = {"ours": lambda: all_reduce(comm, ordinary), "gloo": lambda: dist.all_reduce(ordinary),
                 "kit": lambda: all_reduce(comm, kit)}
        tensors = {"ours": ordinary, "gloo": ordinary, "kit": kit}
        wrong = [side for side in SIDES if not is_right(comm, tensors[side], sides[side])]
        calls = {}
        for side in SIDES:
            tensors[side].zero_()                    # zeros stay zeros, however often they are summed
            timed(comm, sides[side], WARM_CALLS)
            n = torch.tensor([min(MAX_CALLS, max(1, int(LOOP_S / timed(comm, sides[side], WARM_CALLS))))])
            broadcast(comm, n, 0)                    # all ranks must make the same number of calls
            calls[side] = int(n)
        seconds: dict[str, list[float]] = {side: [] for side in SIDES}
        for repeat in range(repeats):
            for turn in range(len(SIDES)):           # who comes first changes: nobody always follows the same side
                side = SIDES[(repeat + turn) % len(SIDES)]
                seconds[side].append(timed(comm, sides[side], calls[side]))
        ceilings = alone(comm, ordinary, kit, repeats)
    finally:
        dist.destroy_process_group()
    return {"seconds": seconds, "calls": calls, "wrong": wrong, "ceilings": ceilings}


def timed(comm, call, n: int) -> float:
    """Seconds per call of n calls back to back, after a barrier, on this rank."""
    comm.barrier()
    start = time.perf_counter()
    for _ in range(n):
        call()
    return (time.perf_counter() - start) / n


def is_right(comm, tensor, call) -> bool:
    """Element j of rank r is (j mod 4093)·K + r: whole numbers with an exact sum; 4093 is prime, so that pieces of a
    power of two differ and a swapped one is seen."""
    import torch
    K = comm.world_size
    place = (torch.arange(tensor.numel()) % 4093).float() * K
    tensor.copy_(place + comm.rank)
    call()
    return torch.equal(tensor, place * K + K * (K - 1) / 2)


def alone(comm, source, target, repeats: int) -> dict[str, list[float]]:
    """The ceilings: rank 0 copies and adds in place, with every other rank waiting."""
    ceilings: dict[str, list[float]] = {"memcpy": [], "add": []}
    if comm.rank == 0:
        for name, call in (("memcpy", lambda: target.copy_(source)), ("add", lambda: target.add_(source))):
            for _ in range(repeats + 1):
                n = max(1, min(200, (8 << 20) // max(1, source.nbytes)))
                start = time.perf_counter()
                for _ in range(n):
                    call()
                ceilings[name].append((time.perf_counter() - start) / n)
            ceilings[name].pop(0)                    # the first warms up
    comm.barrier()
    return ceilings


def show(figures: dict) -> None:
    host = figures["machine"]
    print(f"all-reduce of float32, sum; {host['cores']} cores, {host['processor']}; torch {host['torch']}, "
          f"NumPy {host['numpy']}; medians of {figures['repeats']} loops, transport {figures['transport']}"
          + (", ranks pinned to cores" if figures["pin"] else ""))
    head = ("K", "size", "gloo", "ours", "gloo/ours", "ours, kit memory", "gloo/kit", "busbw ours", "busbw kit",
            "port", "memcpy", "add")
    rows = []
    for r in figures["results"]:
        rows.append((str(r["world_size"]), size_text(r["size_bytes"]), time_text(r["gloo"]["median_s"]),
                     time_text(r["ours"]["median_s"]), f"{r['gloo_over_ours']:.2f}", time_text(r["kit"]["median_s"]),
                     f"{r['gloo_over_kit']:.2f}", f"{r['ours']['busbw_Bps'] / 1e9:.2f} GB/s",
                     f"{r['kit']['busbw_Bps'] / 1e9:.2f} GB/s", f"{r['port_bytes']:,} B",
                     time_text(r["ceilings"]["memcpy"]["median_s"]), time_text(r["ceilings"]["add"]["median_s"])))
    rivals = [r for r in figures["results"] if "openmpi" in r]
    if rivals:
        head += ("open mpi", "mpi/ours", "mpi/kit")
        rows = [(*row, time_text(r["openmpi"]["median_s"]), f"{r['openmpi_over_ours']:.2f}",
                 f"{r['openmpi_over_kit']:.2f}") for row, r in zip(rows, rivals)]
    print_table(head, rows)
    slower = [r for r in figures["results"] if min(r["gloo_over_ours"], r["gloo_over_kit"]) < 1]
    where = ", ".join(f"K = {r['world_size']} {size_text(r['size_bytes'])}" for r in slower)
    print("slower than Gloo: " + (where or "nowhere") + "; above 1 in gloo/ours means ours is faster")
    if rivals:
        slower = [r for r in rivals if r["openmpi_over_ours"] < 1]
        where = ", ".join(f"K = {r['world_size']} {size_text(r['size_bytes'])}" for r in slower)
        print(f"slower than {rivals[0]['openmpi_version']}, with ordinary tensors: {where or 'nowhere'}")


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(_parser)
    sys.exit(main(_parser.parse_args()))
