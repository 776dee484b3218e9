"""Each change multiplies some factors; nothing else is computed."""

LONG = True

BYTES = {"fp32": (4.0, 0), "int8": (1.0, 8), "int4": (0.5, 4)}


def size(kind, D):
    times, more = BYTES[kind]
    return times * D + more


def effect(change, spec):
    what, value = change
    D, S = spec["dim"], spec["hosts"]
    table = comm = port = 1.0
    slots = 4 * D * spec["slots"]
    if what == "stored":
        table = (size(value, D) + slots) / (size(spec["stored"], D) + slots)
    elif what == "slots":
        own = size(spec["stored"], D)
        table = (own + 4 * D * value) / (own + slots)
    elif what == "hashing":
        table = value / spec["rows"]
    elif what == "quotient-remainder":
        table, comm = (value - (-spec["rows"] // value)) / spec["rows"], 2.0
    elif what == "wire":
        comm = size(value, D) / size(spec["wire"], D)
    elif what == "requester cache":
        comm = (1 - value) / (1 - spec["hit_rate"])
    elif what == "de-duplication":
        comm = value / spec["lookups"]
    elif what == "hosts":
        comm, port = (1 - 1 / value) / (1 - 1 / S), S / value
    return [table, comm, comm * port]


def relieves(change, spec):
    words = {(True, True): "both", (True, False): "table", (False, True): "wire", (False, False): "neither"}
    return words[tuple(ratio < 1 - 1e-12 for ratio in effect(change, spec)[:2])]
