"""Tables over ranks: a plan says which rank holds what, and three all-to-alls a step do the rest.

    plan         Sharding, its kinds and shards; lookups_per_owner: the skew
    planner      plan_tables: where to put tables, by memory and bytes per step
    layout       all shards of one width as one long table, cut by rank
    lookup       the requester's half: units asked for, bags pooled of them
    owner        the owner's half: rows looked up, one step of the rule
    dists        the exchanges between them, and their bytes
    wire         fp32, fp16, int8
    export       a rank's shards as plain tensors, and back into another plan
    collection   all of it together
"""

from .collection import OverRanks
from .export import merge_shards
from .plan import Shard, Sharding, check_plan, equal_ranges, lookups_per_owner, shards_of
from .planner import Plan, plan_tables, shard_bytes, table_bytes
from .wire import WIRES, Wire, wires

__all__ = ["WIRES", "OverRanks", "Plan", "Shard", "Sharding", "Wire", "check_plan", "equal_ranges",
           "lookups_per_owner", "merge_shards", "plan_tables", "shard_bytes", "shards_of", "table_bytes", "wires"]
