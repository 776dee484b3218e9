"""Worker by worker, what it sends and gets."""

LONG = True


def replicate_wins(spec):
    row = {"fp32": 4 * spec["dim"], "int8": spec["dim"] + 8, "int4": spec["dim"] // 2 + 4}[spec["format"]]
    grad = 4 * spec["dim"] + 8
    others = spec["workers"] - 1
    updates = len(range(0, spec["steps"], spec["update_every"]))
    sharded = replicated = 0
    for worker in range(spec["workers"]):
        replicated += others * updates * spec["touched"] * grad
        if worker:
            replicated += spec["rows"] * row
            # of all the lookups of all workers one K-th stays at home: as if one worker had none
            sharded += spec["steps"] * (spec["lookups"] - spec["hits"]) * (row + 8) + updates * spec["touched"] * grad
    need = spec["rows"] * (row + spec["slots"] * 4 * spec["dim"])
    if need > spec["memory_bytes"]:
        return False, sharded, replicated
    return replicated < sharded, sharded, replicated
