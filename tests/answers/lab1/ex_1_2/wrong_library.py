"""Imports the kit's server."""

BASE = "right_counting"
REFUSED_BY = "one range a tensor"
MISCONCEPTION = "all/forbidden"
LONG = True


def as_key_values(model):
    from pslab.ps import KVWorker
    return {0: KVWorker}
