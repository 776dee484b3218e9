"""How long a message holds its ports: the model by which links are simulated, and throttled in real time."""

from __future__ import annotations

from dataclasses import dataclass

from .checks import is_number


@dataclass(frozen=True)
class Link:
    """The port model: a message of n bytes holds its sender's outgoing and its receiver's incoming port for
    overhead_s + n / bandwidth_Bps seconds, first come first served, and arrives latency_s later.

    The α of the textbooks is overhead_s + latency_s; bandwidth_Bps is bytes per second of a port in each direction.
    """

    latency_s: float = 10e-6
    overhead_s: float = 0.0
    bandwidth_Bps: float = 12.5e9

    def __post_init__(self):
        for name in ("latency_s", "overhead_s"):
            value = getattr(self, name)
            if not is_number(value) or not 0 <= value < float("inf"):
                raise ValueError(f"{name}={value!r}; a number of seconds, 0 or more, is needed")
        if not is_number(self.bandwidth_Bps) or not self.bandwidth_Bps > 0:
            raise ValueError(f"bandwidth_Bps={self.bandwidth_Bps!r}; must be above 0 (bytes per second)")

    def port_s(self, payload_bytes: int) -> float:
        """Seconds that a message of payload_bytes holds each of its two ports."""
        return self.overhead_s + payload_bytes / self.bandwidth_Bps
