"""Takes the places of the hot keys for the keys."""

import numpy as np

BASE = "right_in_turn"
REFUSED_BY = "every read where its key is"
MISCONCEPTION = "3/cold-elsewhere"
LONG = True


def route_reads(keys, owners, hot, num_servers):
    servers = np.array(owners)
    places = np.arange(min(len(hot), len(keys)))
    servers[places] = places % num_servers
    return servers
