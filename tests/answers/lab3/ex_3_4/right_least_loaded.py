"""Counts with a dictionary; each free read goes to the server that has least to do."""

import heapq
from collections import Counter

LONG = True


def hottest(reads, h):
    counts = Counter(reads.tolist())
    return sorted(counts, key=lambda key: (-counts[key], key))[:h]


def route_reads(keys, owners, hot, num_servers):
    hot, load = set(hot.tolist()), [0] * num_servers
    servers = [None if key in hot else server for key, server in zip(keys.tolist(), owners.tolist())]
    for server in servers:
        if server is not None:
            load[server] += 1
    waiting = [(n, server) for server, n in enumerate(load)]
    heapq.heapify(waiting)
    for place, server in enumerate(servers):
        if server is None:
            n, servers[place] = waiting[0]
            heapq.heapreplace(waiting, (n + 1, servers[place]))
    return servers


def route_writes(keys, owners, hot, num_servers):
    routes, hot = {}, set(hot.tolist())
    for place, (key, owner) in enumerate(zip(keys.tolist(), owners.tolist())):
        for server in range(num_servers) if key in hot else [owner]:
            routes.setdefault(server, []).append(place)
    return routes
