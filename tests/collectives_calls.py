"""Every collective with every algorithm it has, and in what its calls may differ: for tests of agreement."""

import inspect
import re
from pathlib import Path

import pytest
import torch
from collectives_programs import REDUCING, ROOTS, SIZED, build

from pslab.comm import SimWorld


def line_of(function, text):
    lines, first = inspect.getsourcelines(function)
    at = first + next(i for i, line in enumerate(lines) if text in line)
    return f"{Path(inspect.getsourcefile(function)).name}:{at} in {function.__name__}"


def algorithms(name):
    """What the collective itself says is allowed: a new one is tested without being listed here."""
    with pytest.raises(ValueError, match="allowed: auto") as caught:
        SimWorld(1).run(lambda comm: (lambda call, x: call(comm, x))(*build(name, "?")(comm)))
    return re.search(r"allowed: auto, (.*)", str(caught.value))[1].split("\n")[0].split(", ")


CASES = [(name, algorithm) for name in (*SIZED, "all_gather", "all_to_all", "scatter", "gather")
         for algorithm in algorithms(name)]


def differences(name, algorithm):
    """{what differs: (knobs of the odd rank, what the others' call says, what the odd one's says)}."""
    others = [other for other in algorithms(name) if other != algorithm]
    table = {"collective": ({"name": "gather" if name != "gather" else "reduce"}, name, "gather" if name != "gather"
                            else "reduce")}
    if name in SIZED or (name, algorithm) in (("all_gather", "bruck"), ("gather", "binomial")):
        table["length"] = {"P": 8}, "float32[7]", "float32[8]"
        table["emptiness"] = {"P": 0}, "float32[7]", "float32[0]"
    if name != "scatter":
        table["dtype"] = {"dtype": torch.float64}, "float32", "float64"
    if name in REDUCING:
        table["op"] = {"op": "max"}, "op='sum'", "op='max'"
        table["mean"] = {"op": "mean"}, "op='sum'", "op='mean'"          # on the wire it is a sum
    if name in ROOTS:
        table["root"] = {"root": 1}, f"{ROOTS[name]}=0", f"{ROOTS[name]}=1"
    if others:
        table["algorithm"] = {"algorithm": others[0]}, f"algorithm='{algorithm}'", f"algorithm='{others[0]}'"
    if algorithm == "chunked_ring":
        table["chunks"] = {"chunks": 3}, "chunks=2", "chunks=3"
    if algorithm == "hierarchical":
        table["groups"] = {"groups": [[0], [1, 2]]}, "groups=((0, 1), (2,))", "groups=((0,), (1, 2))"
    if algorithm == "halving_doubling":
        table["partner"] = {"partner": "far"}, "partner='near'", "partner='far'"
    return table


def odd_call(name, algorithm, changes):
    changes = dict(changes)
    if "name" in changes:
        return build(changes.pop("name"), "auto", **changes)
    return build(name, changes.pop("algorithm", algorithm), **changes)
