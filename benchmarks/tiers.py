"""A table in tiers against the same table in RAM, by the hit rate of the fast tier; the disk's ceilings beside.

    for each exponent and budget: Zipf batches ──> lookup        TieredStore(RAM budget) over a file
                                              └──> lookup        MemoryStore, all rows
    ceilings   random   pread of the same number of rows at random places       the file in the page cache, or not
               sequential  pread of the whole file in pieces of 1 MB

Lookups are ids of a batch, repeated ones too; rows are checked against those in RAM in the run that times them. The hit
rate is that of the distinct ids of timed batches. Before each timed run the file is written to the disk and dropped
from the page cache where the system allows that (--warm leaves it there), so that a miss is a read of the disk.
`train` adds the step of AdaGrad to each lookup.

    pslab bench tiers --json FILE          or          python benchmarks/tiers.py --quick
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

from bench_common import at_least, check_writable, list_of, machine, print_table, summary, write_json

PIECE_BYTES = 1 << 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--rows", type=at_least(100), help="rows of the table (default 2000000)")
    parser.add_argument("--dim", type=at_least(1), help="values of a row, AdaGrad's state as much again (default 32)")
    parser.add_argument("--batch", type=at_least(1), help="ids of a batch (default 8192)")
    parser.add_argument("--batches", type=at_least(2), help="batches that are timed, after as many more (default 60)")
    parser.add_argument("--exponents", type=list_of(float), help="of Zipf's law (default 0.6,0.9,1.1,1.3)")
    parser.add_argument("--budgets", type=list_of(float), help="shares of the table's bytes (default 0.05,0.1,0.25)")
    parser.add_argument("--warm", action="store_true", help="leave the file in the page cache")
    parser.add_argument("--folder", type=Path, help="where the file is made (default: the folder for temporary files)")
    parser.add_argument("--quick", action="store_true", help="40,000 rows of 16, 8 batches of 1,024, one exponent")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write all figures and samples to FILE")


def main(args: argparse.Namespace) -> int:
    few = args.quick
    sizes = {"rows": args.rows or (40_000 if few else 2_000_000), "dim": args.dim or (16 if few else 32),
             "batch": args.batch or (1024 if few else 8192), "batches": args.batches or (8 if few else 60)}
    exponents = args.exponents or ([1.1] if few else [0.6, 0.9, 1.1, 1.3])
    budgets = args.budgets or ([0.25] if few else [0.05, 0.1, 0.25])
    try:
        for name, values in (("--exponents", exponents), ("--budgets", budgets)):
            if min(values) <= 0:
                raise ValueError(f"{name} {min(values):g}: a number above 0 is needed")
        if args.folder is not None and not args.folder.is_dir():
            raise ValueError(f"--folder {args.folder}: there is no such folder")
        if args.json:
            check_writable("--json", args.json)
    except ValueError as error:
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    figures = {"benchmark": "tiers", "machine": machine(), "warm": args.warm, **sizes}
    try:
        with tempfile.TemporaryDirectory(prefix="pslab-bench-", dir=args.folder) as folder:
            figures |= measure(sizes, exponents, budgets, args.warm, folder)
    except ValueError as error:                             # a budget that is too small for a batch
        print(f"pslab: {error}", file=sys.stderr)
        return 2
    show(figures)
    if args.json:
        write_json(args.json, figures)
        print(f"all samples: {args.json}")
    wrong = [row for row in figures["results"] if row["wrong"]]
    for row in wrong:
        print(f"WRONG ROWS: {row['what']}, exponent {row['exponent']:g}, budget {row['budget']:g}", file=sys.stderr)
    return 1 if wrong else 0


def measure(sizes: dict, exponents: list[float], budgets: list[float], warm: bool, folder: str) -> dict:
    """{"results": the rows of the table, "ceilings": of the disk, "table_bytes"}."""
    import numpy as np
    import torch

    from pslab.embedding.tiers import DiskStore, MemoryStore, RowLayout, TieredTable
    from pslab.ps import AdaGrad, Uniform

    torch.set_num_threads(1)
    layout = RowLayout(sizes["dim"], AdaGrad(0.05), Uniform(0.05, seed=1), "bench")
    path, R = os.path.join(folder, "rows"), sizes["rows"]
    ram = MemoryStore(R, first=layout)
    with DiskStore(path, R, first=layout) as disk:          # every row written, so that each has its place on the disk
        block = max(1, PIECE_BYTES // (4 * layout.width))
        for lo in range(0, R, block):
            disk.write(np.arange(lo, min(lo + block, R)), ram.all_rows[lo:lo + block])
    ceilings = ceilings_of(path, R, sizes, warm)
    results = []
    for exponent in exponents:
        batches = batches_of(exponent, sizes)
        plain = timed(TieredTable(ram, layout), batches, None)
        first = ram.all_rows.copy()
        trained = timed(TieredTable(ram, layout), batches, 0.01)
        after, ram.all_rows = ram.all_rows, first
        for budget in budgets:
            for what, base, rate in (("lookup", plain, None), ("train", trained, 0.01)):
                results.append({"what": what, "exponent": exponent, "budget": budget, "ram": rates(base, sizes),
                                **one(path, layout, batches, budget, rate, sizes, warm, base)})
            restore(path, layout, batches, ram, after)
    return {"results": results, "ceilings": ceilings, "table_bytes": ram.all_rows.nbytes}


def one(path, layout, batches, budget: float, rate, sizes: dict, warm: bool, base: dict) -> dict:
    """A timed run of the table in tiers: rows a second, hits, and whether its rows are those in RAM."""
    from pslab.embedding.tiers import DiskStore, TieredStore, TieredTable

    dropped = False if warm else drop(path)
    budget_bytes = int(budget * 4 * layout.width * sizes["rows"])
    disk = DiskStore(path, first=layout, write_back_bytes=max(1 << 12, min(4 << 20, budget_bytes // 16)))
    try:
        table = TieredTable(TieredStore(disk, budget_bytes), layout)
        run = timed(table, batches, rate)
        table.close()
    finally:
        disk.abandon()
    return {"tiered": rates(run, sizes), "hit_rate": run["hit_rate"], "capacity": run["capacity"], "cold": dropped,
            "wrong": run["checks"] != base["checks"]}


def timed(table, batches: list, rate) -> dict:
    """Seconds of each batch of the second half; a sum over each lookup, to be compared."""
    import torch
    samples, checks, stats = [], [], getattr(table.store, "stats", None)
    for i, ids in enumerate(batches):
        if i == len(batches) // 2:
            stats = getattr(table.store, "stats", None)
        start = time.perf_counter()
        rows = table.lookup(ids)
        if rate is not None:
            table.update(ids, rows * rate)
        samples.append(time.perf_counter() - start)
        checks.append(hash(rows.view(torch.int32).numpy().tobytes()))
    end = getattr(table.store, "stats", None)
    used = 0 if end is None else end.accesses - stats.accesses
    return {"samples": samples[len(batches) // 2:], "checks": checks,
            "hit_rate": (end.hits - stats.hits) / used if used else None,
            "capacity": getattr(table.store, "capacity", None)}


def restore(path, layout, batches, ram, after) -> None:
    """The file as it was before training: the next run begins alike."""
    import numpy as np

    from pslab.embedding.tiers import DiskStore
    ids = np.unique(np.concatenate(batches))
    with DiskStore(path, first=layout) as disk:
        if not np.array_equal(disk.read(ids), after[ids]):
            raise RuntimeError("training in tiers left other rows than training in RAM")
        disk.write(ids, ram.all_rows[ids])
        disk.steps = 0
    ram.steps = 0


def batches_of(exponent: float, sizes: dict) -> list:
    """2 · batches arrays of ids, Zipf by rank (any exponent above 0), the ranks spread over the table."""
    import numpy as np
    draw, R = np.random.default_rng(5), sizes["rows"]
    weights = np.cumsum(np.arange(1, R + 1, dtype=np.float64) ** -exponent)
    place = draw.permutation(R)
    return [place[np.minimum(np.searchsorted(weights, draw.random(sizes["batch"]) * weights[-1]), R - 1)]
            for _ in range(2 * sizes["batches"])]


def rates(run: dict, sizes: dict) -> dict:
    return {**summary(run["samples"]), "per_s": sizes["batch"] * len(run["samples"]) / sum(run["samples"])}


def ceilings_of(path: str, R: int, sizes: dict, warm: bool) -> dict:
    """Rows a second of pread alone: random rows one by one, ascending in each batch as the store reads, and all."""
    import numpy as np
    size = (os.path.getsize(path) - 4096) // R
    draw, fd = np.random.default_rng(3), os.open(path, os.O_RDONLY)
    buffer, piece = [memoryview(bytearray(size))], [memoryview(bytearray(PIECE_BYTES))]
    try:
        found = {}
        for name, sort in (("random", False), ("random, ascending", True)):
            cold = False if warm else drop(path)
            places = draw.integers(0, R, (min(sizes["batches"], 30), min(sizes["batch"], R)))
            offsets = [(np.sort(ids) if sort else ids).tolist() for ids in places]
            start = time.perf_counter()
            for ids in offsets:
                for id in ids:
                    os.preadv(fd, buffer, 4096 + id * size)
            found[name] = {"rows_per_s": places.size / (time.perf_counter() - start), "cold": cold}
        cold, start, at, got = False if warm else drop(path), time.perf_counter(), 0, 1
        while got:
            got = os.preadv(fd, piece, at)
            at += got
        found["sequential"] = {"rows_per_s": at / size / (time.perf_counter() - start), "cold": cold}
    finally:
        os.close(fd)
    return {"row_bytes": size, **found}


def drop(path: str) -> bool:
    """Write the file out and ask the system to forget its pages; False where that cannot be asked."""
    fd = os.open(path, os.O_RDWR)
    try:
        os.fsync(fd)
        if not hasattr(os, "posix_fadvise"):
            return False
        os.posix_fadvise(fd, 0, 0, os.POSIX_FADV_DONTNEED)
        return True
    finally:
        os.close(fd)


def show(figures: dict) -> None:
    host, tops = figures["machine"], figures["ceilings"]
    print(f"{figures['rows']:,} rows of {figures['dim']} float32 and as much state, "
          f"{figures['table_bytes'] / 1e6:,.0f} MB; batches of {figures['batch']:,} Zipf ids; {host['cores']} cores, "
          f"{host['processor']}; NumPy {host['numpy']}; file {'in' if figures['warm'] else 'out of'} the page cache")
    head = ("what", "exponent", "budget", "rows kept", "hit rate", "in RAM", "in tiers", "tiers/RAM")
    rows = [(row["what"], f"{row['exponent']:g}", f"{row['budget']:.0%}", f"{row['capacity']:,}",
             f"{row['hit_rate']:.3f}", f"{row['ram']['per_s']:,.0f}/s", f"{row['tiered']['per_s']:,.0f}/s",
             f"{row['tiered']['per_s'] / row['ram']['per_s']:.2f}") for row in figures["results"]]
    print_table(head, rows)
    print(f"the disk, by pread of {tops['row_bytes']} bytes: " + ", ".join(
        f"{name} {tops[name]['rows_per_s']:,.0f} rows/s" for name in ("random", "random, ascending", "sequential")))


if __name__ == "__main__":
    _parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add_arguments(_parser)
    sys.exit(main(_parser.parse_args()))
