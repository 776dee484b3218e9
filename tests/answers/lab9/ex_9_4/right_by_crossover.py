"""Compares each share of touched rows with the crossover of 9.1; tied names in a second pass."""


def route(model):
    K, key, trained = model["workers"], model["key_bytes"], {}
    for p in model["parameters"]:
        if p["trainable"]:
            trained[p["name"]] = p
    home = {name: p["same_as"] or name for name, p in trained.items()}
    share = {}
    for name, p in trained.items():
        share[home[name]] = max(share.get(home[name], 0), p["touched"] / p["shape"][0])

    def choice(name):
        row = 4
        for size in trained[name]["shape"][1:]:
            row *= size
        flips_at = (K - 1) / K * row / (row + key)
        return "all-reduce" if share[home[name]] >= flips_at else "server"

    return {name: choice(name) for name in trained}
