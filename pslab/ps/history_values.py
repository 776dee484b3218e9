"""A synchronous run beside one process that does the same rounds one after the other: equal, bit for bit.

    recorded pushes of round 0 ──sum──> one step ──> rows before round 1 ──== ──> every pull at clock 1
                       round 1 ──sum──> one step ──> rows before round 2   ...

The sums are taken in the order (worker, number of the push), as a server does. On whole numbers (up to 2^24) no order
matters, so that there the values must be equal whatever the server is.
"""

from __future__ import annotations

import numpy as np

from .dtypes import stored, values_of
from .history_check import Findings
from .history_record import History
from .tables import TableConfig


def check_sequential(history: History, table: TableConfig, final_rows=None, limit: int = 10) -> Findings:
    """Hold the values of a run under BSP (Recorder(values=True)) against the sequential program.

    final_rows: (R, dim) at the end, if they are to be compared too. Rows begin as the table says; a `set` or an init
    counts when all of that were recorded at clock 0 before any push, in the order in which they began.
    """
    findings = Findings(limit)
    ops = [op for op in history.ops if op.table == table.name]
    if any(op.vals is None for op in ops if op.kind == "push" or (op.kind == "pull" and op.end_s is not None)):
        raise ValueError(f"table {table.name!r}: this history holds no values; record it with Recorder(values=True)")
    rows = table.initial_rows()
    state = table.rule.new_state(table.num_rows, table.dim)
    written = np.zeros(len(rows), bool)
    for op in sorted((op for op in ops if op.kind in ("set", "init")), key=lambda op: op.start_s):
        if op.clock:
            raise ValueError(f"table {table.name!r}: a {op.kind} at clock {op.clock}; only those at clock 0 have a "
                             f"place in a sequence of rounds")
        keys = np.array(op.keys, np.int64)
        new = ~written[keys] if op.kind == "init" else np.ones(len(keys), bool)
        rows[keys[new]] = _kept(table, np.array(op.vals, np.float32).reshape(len(keys), table.dim)[new])
        written[keys] = True
    pushes = sorted((op for op in ops if op.kind == "push"), key=lambda op: (op.clock, op.worker, op.number))
    last = max((op.clock for op in ops), default=0)
    for clock in range(last + 2):
        for op in ops:
            if op.kind == "pull" and op.clock == clock and op.end_s is not None:
                seen = np.array(op.vals, np.float32).reshape(len(op.keys), table.dim)
                _compare(findings, rows[list(op.keys)], seen, op.keys, worker=op.worker, clock=clock, table=table.name)
        if clock <= last:
            _step(table, rows, state, [op for op in pushes if op.clock == clock], clock + 1)
    findings.judge("empty", bool(pushes) and findings.facts["sequential"] > 0, "pushes and pulls", "none of them")
    if final_rows is not None:
        _compare(findings, rows, np.asarray(final_rows), range(table.num_rows), table=table.name)
    return findings


def _step(table: TableConfig, rows, state, pushes, t: int) -> None:
    grads, touched = np.zeros_like(rows), np.zeros(len(rows), bool)
    for op in pushes:
        np.add.at(grads, list(op.keys), _kept(table, np.array(op.vals, np.float32).reshape(len(op.keys), table.dim)))
        touched[list(op.keys)] = True
    if touched.any():
        some, its_state = rows[touched], state[:, touched]
        table.rule.step(some, grads[touched], its_state, t)
        rows[touched], state[:, touched] = _kept(table, some), its_state


def _kept(table: TableConfig, values: np.ndarray) -> np.ndarray:
    """Values rounded as the table keeps and sends them."""
    return values_of(stored(values, table.dtype), table.dtype)


def _compare(findings: Findings, expected: np.ndarray, seen: np.ndarray, keys, **where) -> None:
    for key, should, is_ in zip(keys, expected, seen):
        findings.judge("sequential", should.tobytes() == np.asarray(is_, np.float32).tobytes(),
                       lambda should=should: f"{should.tolist()}, as one process has it after the rounds before",
                       lambda is_=is_: f"{is_.tolist()}", key=int(key), **where)
