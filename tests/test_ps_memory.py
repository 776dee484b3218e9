"""What a server's table takes: rows x width x (1 + slots) x 4 bytes, 20 % more at most, and 32 bytes a row hashed.

Measured as a peak, so what is there only for a moment counts too: for ten million rows in a process of their own, by
what the system gave it; for fewer by what NumPy asked for (tracemalloc).
"""

import subprocess
import sys
import tracemalloc

import numpy as np
import pytest
import torch

from pslab.comm import Mail
from pslab.ps import ASP, SGD, AdaGrad, Adam, HashPartition, KVServer, TableConfig, Uniform


def fill(rows, width, kind, rule, dtype, part, peak_bytes):
    """Push to every row of a table once, `part` rows a request; the peak of memory above that before the table."""
    grads = np.ones((part, width), np.float32)
    table = TableConfig("t", width, None if kind == "hashed" else rows, rule, ASP(),
                        HashPartition() if kind == "hashed" else TableConfig("t", 1, 1).partition,
                        Uniform(1.0, seed=1), dtype)
    before = peak_bytes()
    server = KVServer([table], 0, 1, [0])
    for number, first in enumerate(range(0, rows, part), 1):
        keys = np.arange(first, first + part, dtype=np.int64)
        if kind == "hashed":
            keys = np.sort(keys * -7_046_029_254_386_353_131)
        vals = grads.copy() if dtype == "float32" else torch.from_numpy(grads).bfloat16()
        [(_, ack)] = server.handle(Mail(0, "push", {"t": 0, "q": number, "n": 0, "c": 0}, [keys, vals]), 0.0)
        assert ack.kind == "ack", ack.meta
    shard = server.shards[0]
    assert len(shard.rows) == rows
    [(_, answer)] = server.handle(Mail(0, "pull", {"t": 0, "q": 1, "c": 0, "n": 0}, [keys[:1000].copy()]), 0.0)
    stepped = table.initial_rows(keys[:1000])
    rule.step(stepped, np.ones_like(stepped), rule.new_state(1000, width), number)
    assert torch.equal(torch.as_tensor(answer.tensors[0]), torch.from_numpy(stepped).to(getattr(torch, dtype)))
    return peak_bytes() - before


def budget_bytes(rows, width, slots, kind, dtype):
    item = 4 if dtype == "float32" else 2
    return 1.2 * rows * width * (item + 4 * slots) + (32 * rows if kind == "hashed" else 0)


RULES = {"SGD": SGD(0.5), "AdaGrad": AdaGrad(0.5, initial_accumulator=0.25), "Adam": Adam(0.01)}


def check(taken, rows, width, kind, rule, dtype, part):
    most = budget_bytes(rows, width, RULES[rule].slots, kind, dtype)
    request = 5 * part * (8 + 4 * width)            # what is being worked on, in a few copies
    assert taken <= most + request, (f"{taken / 1e6:.0f} MB for {rows:,} rows of {width} ({kind}, {rule}, {dtype}); "
                                     f"at most {most / 1e6:.0f} MB, and {request / 1e6:.0f} MB for a request")
    assert taken >= most / 2                        # the measure sees the table


@pytest.mark.parametrize("kind", ["dense", "hashed"])
def test_a_table_of_300_000_rows_keeps_to_its_memory(kind):
    tracemalloc.start()
    try:
        taken = fill(300_000, 16, kind, RULES["AdaGrad"], "float32", 10_000, lambda: tracemalloc.get_traced_memory()[1])
    finally:
        tracemalloc.stop()
    check(taken, 300_000, 16, kind, "AdaGrad", "float32", 10_000)


@pytest.mark.long
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="reads the peak of memory from Linux's /proc")
@pytest.mark.parametrize("dtype", ["float32", "bfloat16"])
@pytest.mark.parametrize("rule", RULES)
@pytest.mark.parametrize("kind", ["dense", "hashed"])
def test_a_table_of_ten_million_rows_keeps_to_its_memory(kind, rule, dtype):
    done = subprocess.run([sys.executable, __file__, kind, rule, dtype], capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done.stderr
    check(int(done.stdout), 10_000_000, 16, kind, rule, dtype, 100_000)


def main(kind, rule, dtype):
    def peak_bytes():
        with open("/proc/self/status") as lines:
            return next(int(line.split()[1]) * 1024 for line in lines if line.startswith("VmHWM"))
    print(fill(10_000_000, 16, kind, RULES[rule], dtype, 100_000, peak_bytes))


if __name__ == "__main__":
    main(*sys.argv[1:])
