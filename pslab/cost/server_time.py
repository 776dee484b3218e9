"""Seconds of a dense step with parameter servers, in the port model of `Link`, and how many servers are enough.

A message of q bytes holds its sender's outgoing and its receiver's incoming port for t = overhead + q/bandwidth, first
come first served, and arrives one latency L later. n_s bytes lie on server s, t_s is the time of its message to one
worker, n = Σ n_s = P·b, K workers, c seconds of computation.

    pull, K = 3, S = 2, in turn:   server 0 ─ w0 w1 w2            every server serves worker 0 first: server 1 waits for
                                   server 1 ─    w0 w1 w2         worker 0's port; K + S − 1 messages end to end

    schedule     seconds of a step
    ports        2·(max(K·max t_s, Σ t_s) + L) + c        pull, compute, push one after the other, no port ever waits
    in_turn      2·Σ t_s + (K−1)·max t_s + c + 2L         all serve and push in order of index: what KVWorker does
    overlap      max(c, K·max t_s, Σ t_s)                 a step of many, the next pull and the last push beside compute

`in_turn` is exact for a pipeline of K equal jobs through the servers' S outgoing and S incoming ports: worker k has its
rows when those before it have theirs, so its push meets nobody: there pull and push overlap by themselves. The
handshakes of KVWorker (request, acknowledgement, clock, its answer) add 4L, and their headers.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import isqrt

from .ports import Port, check_count
from .servers import parameter_server

SCHEDULES = ("ports", "in_turn", "overlap")


@dataclass(frozen=True)
class LeastServers:
    """`servers` is the least S whose step takes at most (1 + within)·floor_s; step_s is what it takes."""

    servers: int
    step_s: float
    floor_s: float


def message_times_s(elements: int, S: int, overhead_s: float, bandwidth_Bps: float,
                    itemsize: int = 4) -> tuple[float, float]:
    """(Σ t_s, max t_s): seconds that the S messages of one worker hold a port, and the longest of them alone."""
    for name, value, least in (("elements", elements, 0), ("S", S, 1), ("itemsize", itemsize, 1)):
        check_count(name, value, least)
    if not 0 <= overhead_s < float("inf"):
        raise ValueError(f"overhead_s={overhead_s!r}; a number of seconds, 0 or more, is needed")
    if not bandwidth_Bps > 0:
        raise ValueError(f"bandwidth_Bps={bandwidth_Bps!r}; must be above 0 (bytes per second)")
    return (S * overhead_s + elements * itemsize / bandwidth_Bps,
            overhead_s + -(-elements // S) * itemsize / bandwidth_Bps)


def one_way_s(elements: int, K: int, S: int, *, bandwidth_Bps: float, overhead_s: float = 0.0, latency_s: float = 0.0,
              schedule: str = "in_turn", itemsize: int = 4) -> float:
    """Seconds until all K workers have pulled everything (or until all pushes are in): one phase alone."""
    check_count("K", K, 1)
    if schedule not in ("ports", "in_turn"):
        raise ValueError(f"schedule={schedule!r}; one phase alone knows 'ports' and 'in_turn'")
    all_s, longest_s = message_times_s(elements, S, overhead_s, bandwidth_Bps, itemsize)
    busy_s = all_s + (K - 1) * longest_s if schedule == "in_turn" else max(K * longest_s, all_s)
    return busy_s + latency_s


def step_s(elements: int, K: int, S: int, *, bandwidth_Bps: float, overhead_s: float = 0.0, latency_s: float = 0.0,
           compute_s: float = 0.0, schedule: str = "in_turn", itemsize: int = 4) -> float:
    """Seconds of a dense step: each of K workers pulls P = `elements` numbers, computes, and pushes P numbers.

    schedule: 'ports', 'in_turn' or 'overlap', as in the table above. Exact in the simulator: 'in_turn' for every P, K
    and S; 'ports' and 'overlap' where S divides P or S <= K.
    """
    if not 0 <= compute_s < float("inf"):
        raise ValueError(f"compute_s={compute_s!r}; a number of seconds, 0 or more, is needed")
    link = {"bandwidth_Bps": bandwidth_Bps, "overhead_s": overhead_s, "itemsize": itemsize}
    if schedule == "ports":
        return 2 * one_way_s(elements, K, S, **link, latency_s=latency_s, schedule="ports") + compute_s
    if schedule == "in_turn":
        all_s, longest_s = message_times_s(elements, S, overhead_s, bandwidth_Bps, itemsize)
        return 2 * all_s + (check_count("K", K, 1) - 1) * longest_s + compute_s + 2 * latency_s
    if schedule == "overlap":
        return max(compute_s, one_way_s(elements, K, S, **link, schedule="ports"))
    raise ValueError(f"schedule={schedule!r}; allowed: {', '.join(map(repr, SCHEDULES))}")


def least_servers(elements: int, K: int, *, within: float = 0.05, bandwidth_Bps: float, overhead_s: float = 0.0,
                  latency_s: float = 0.0, compute_s: float = 0.0, schedule: str = "ports",
                  itemsize: int = 4) -> LeastServers:
    """How many servers bring a step within 5 % of the best that any number of them could do.

    The floor is a worker's own port: it must take in and give out P numbers however many servers there are. Without
    overhead and in the schedule 'ports' S = K reaches it; in turn the other workers' messages shrink with S and vanish
    only for many servers. With an overhead each further server costs a message, so that too many are slower.
    """
    if not 0 <= within < float("inf"):
        raise ValueError(f"within={within!r}; 0 or more is needed (0.05 for 5 %)")
    check_count("elements", elements, 1)
    more = {"bandwidth_Bps": bandwidth_Bps, "overhead_s": overhead_s, "latency_s": latency_s, "compute_s": compute_s,
            "schedule": schedule, "itemsize": itemsize}

    def seconds(S: int) -> float:
        return step_s(elements, K, S, **more)

    # The longest message has q = ceil(P/S) elements; of the S with equal q the first is the best and the least.
    root = min(isqrt(elements) + 1, elements)           # S or q is not above it
    first = {*range(1, root + 1), *(-(-elements // q) for q in range(1, root + 1))}
    times = {S: seconds(S) for S in sorted(first)}
    floor_s = min(times.values())
    least = next(S for S, time_s in times.items() if time_s <= (1 + within) * floor_s)
    return LeastServers(least, times[least], floor_s)


# ---- aggregators in racks --------------------------------------------------------------------------------------------

@dataclass(frozen=True)
class HierarchicalTraffic:
    """Ports of one step with an aggregator a rack: `workers` by rack and place, `aggregators` and `uplinks` by rack."""

    workers: tuple[Port, ...]
    aggregators: tuple[Port, ...]
    servers: tuple[Port, ...]
    uplinks: tuple[Port, ...]
    flat_uplinks: tuple[Port, ...]

    @property
    def busiest(self) -> int:
        """Bytes in the busiest direction of the busiest port (uplinks apart)."""
        return max(port.busiest for port in self.workers + self.aggregators + self.servers)


def hierarchical_servers(elements: int, G: int, g: int, S: int = 1, itemsize: int = 4) -> HierarchicalTraffic:
    """A dense step of G racks of g workers with an aggregator each, servers outside these racks.

    Over an uplink P·b each way instead of g·P·b; into a server G·n_s instead of G·g·n_s; but an aggregator's port
    carries (g + 1)·P·b each way: the sum is made somewhere.
    """
    check_count("G", G, 1), check_count("g", g, 1)
    flat, n = parameter_server(elements, G, S, itemsize), elements * itemsize
    return HierarchicalTraffic((Port(n, n),) * (G * g), (Port((g + 1) * n, (g + 1) * n),) * G, flat.servers,
                               (Port(n, n),) * G, (Port(g * n, g * n),) * G)


def hierarchical_step_s(elements: int, G: int, g: int, S: int = 1, *, bandwidth_Bps: float, overhead_s: float = 0.0,
                        latency_s: float = 0.0, compute_s: float = 0.0, itemsize: int = 4) -> float:
    """Seconds of that step where uplinks are no narrower than ports, all in turn.

    The pipeline of `in_turn` with G jobs instead of G·g, 4 latencies, and (g + 1)·T + c inside each rack,
    T = overhead + n/bandwidth: the aggregator gives its workers the rows one by one, each pushes when it has computed.
    """
    check_count("g", g, 1)
    inside_s = (g + 1) * message_times_s(elements, 1, overhead_s, bandwidth_Bps, itemsize)[0] + compute_s
    across_s = step_s(elements, G, S, bandwidth_Bps=bandwidth_Bps, overhead_s=overhead_s, itemsize=itemsize)
    return across_s + inside_s + 4 * latency_s
