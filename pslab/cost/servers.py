"""Bytes per port of parameter servers: on machines of their own, on the workers' machines, for dense and sparse steps.

      workers 0..K−1                servers 0..S−1               one step
        ┌───┐  pull: n_s bytes        ┌───┐
        │ w │◀────────────────────────│ s │   out of server s:   K · n_s       into a worker:    n = Σ n_s
        │   │────────────────────────▶│   │   into server s:     K · n_s       out of a worker:  n
        └───┘  push: n_s bytes        └───┘

The state is split over the servers in ranges as even as possible (`tensor_split`). Pull requests without keys and
acknowledgements carry no payload.
"""

from __future__ import annotations

from dataclasses import dataclass

from .ports import Port, alpha_beta_s, check_count, chunk_sizes


@dataclass(frozen=True)
class ServerTraffic:
    """Ports of one step: `workers[k]`, and `servers[s]` on machines of their own (empty when they share)."""

    workers: tuple[Port, ...]
    servers: tuple[Port, ...]

    @property
    def ports(self) -> tuple[Port, ...]:
        """By rank: in a server job the workers come first, then the servers."""
        return self.workers + self.servers

    @property
    def busiest(self) -> int:
        """Bytes in the busiest direction of the busiest port."""
        return max(port.busiest for port in self.ports)

    @property
    def total(self) -> int:
        """Bytes over all links, each counted once, at its sender."""
        return sum(port.out_bytes for port in self.ports)


def parameter_server(elements: int, K: int, S: int = 1, itemsize: int = 4) -> ServerTraffic:
    """A dense step: each of K workers pulls and pushes all P = `elements` numbers; S servers hold a range each."""
    sizes = _ranges(elements, K, S, itemsize)
    payload = sum(sizes)
    return ServerTraffic((Port(payload, payload),) * K, tuple(Port(K * size, K * size) for size in sizes))


def colocated_servers(elements: int, K: int, S: int | None = None, itemsize: int = 4) -> ServerTraffic:
    """The same step with server s on the machine of worker s (S ≤ K, default K): what stays at home is not sent.

    With S = K and P divisible by K each port carries 2(K−1)/K · P·b per direction: the ring's figure exactly.
    """
    S = K if S is None else S
    sizes = _ranges(elements, K, S, itemsize)
    if S > K:
        raise ValueError(f"S={S}; servers that share machines with K={K} workers can be at most {K}")
    payload = sum(sizes)
    here = [*sizes, *[0] * (K - S)]
    port = [payload - own + (K - 1) * own for own in here]
    return ServerTraffic(tuple(Port(n, n) for n in port), ())


def sparse_server(rows_per_worker: int, K: int, S: int, row_bytes: int, key_bytes: int = 8) -> ServerTraffic:
    """A sparse step: each worker pulls and pushes n unique rows, spread evenly over the servers (rounded up).

    Keys travel twice, with the request and with the push, both times towards the server:
    out of a worker n·(row_bytes + 2·key_bytes), into it n·row_bytes; in all 2K·n·(row_bytes + key_bytes).
    """
    n = check_count("rows_per_worker", rows_per_worker)
    row, key = check_count("row_bytes", row_bytes), check_count("key_bytes", key_bytes)
    _ranges(n, K, S, 1)
    most = -(-n // S)
    worker = Port(n * (row + 2 * key), n * row)
    server = Port(K * most * row, K * most * (row + 2 * key))
    return ServerTraffic((worker,) * K, (server,) * S)


def server_step_s(elements: int, K: int, S: int, alpha_s: float, bandwidth_Bps: float, overlap: float = 0.0,
                  itemsize: int = 4) -> float:
    """Seconds of a dense step: a pull and a push, each as long as the busiest port direction needs.

    overlap: the share of the push that runs beside the next pull, in the other direction of the same full-duplex port.
    0: one after the other, 2T; 1: side by side, T, with T = α + max(K/S, 1)·n/bandwidth.
    """
    if not 0 <= overlap <= 1:
        raise ValueError(f"overlap={overlap}; a share from 0 (pull, then push) to 1 (side by side) is needed")
    one_way_s = alpha_beta_s(1, parameter_server(elements, K, S, itemsize).busiest, alpha_s, bandwidth_Bps)
    return (2 - overlap) * one_way_s


def _ranges(elements: int, K: int, S: int, itemsize: int) -> tuple[int, ...]:
    check_count("K", K, 1)
    check_count("S", S, 1)
    check_count("itemsize", itemsize, 1)
    return tuple(size * itemsize for size in chunk_sizes(elements, S))
