"""Which server owns a row (ranges.py, hashed.py), and how rows move when servers come or go (movement.py)."""

from .base import Partition
from .hashed import ConsistentHash, HashPartition
from .ranges import RangePartition

__all__ = ["ConsistentHash", "HashPartition", "Partition", "RangePartition"]
