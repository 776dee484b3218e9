"""The kit's own server."""

REFUSED_BY = "workers of different speed"
MISCONCEPTION = "all/forbidden"
LONG = True


def bsp_server(comm, w, workers, rounds, lr):
    from pslab.ps import KVServer
    return KVServer
