"""Which server owns a row (ranges.py, hashed.py), and how rows move when servers come or go (movement.py,
moving.py), and how evenly requests fall (hot.py)."""

from .base import Partition
from .hashed import ConsistentHash, HashPartition
from .hot import imbalance, server_loads, zipf
from .movement import Move, MovementPlan, movement_plan
from .moving import move_rows
from .ranges import RangePartition

__all__ = ["ConsistentHash", "HashPartition", "Move", "MovementPlan", "Partition", "RangePartition", "imbalance",
           "move_rows", "movement_plan", "server_loads", "zipf"]
