"""The parameter server: rows live on servers, workers push gradients to them and pull values from them.

    worker 0 ──push(keys, vals)──>  server 0: rows [0, R/S)      partition   which server owns a row
    worker 1 <──pull(keys)────────  server 1: rows [R/S, 2R/S)   rule        what a gradient does to a row
       ...      clock()                ...                       consistency what a pull may see
                                                                 init        what a row is before its first push

Read on: scheduler_cluster.py (a job from its roles), hierarchy.py (racks); consistency.py (BSP, SSP, ASP, ...) and
clocks.py; history.py (a run, judged by its model); retry.py and dedup.py (letters that are lost or come twice);
cache.py, cached.py, cache_policy.py (a worker's rows); filters/ (fewer bytes); partition/ and regroup.py (servers that
come or go). Sources: Li et al., "Scaling Distributed Machine Learning with the Parameter Server" (OSDI 2014) for keys,
ranges, servers and filters; Ho et al. (NIPS 2013) for SSP and reads by age.

    def program(comm, tables, num_workers):
        if comm.rank >= num_workers:                               # workers come first, then the servers
            server = KVServer(tables, comm.rank - num_workers, comm.world_size - num_workers, range(num_workers))
            return serve(comm, server)
        with KVWorker(comm, range(num_workers, comm.world_size), tables) as kv:
            rows = kv.wait(kv.pull(keys, table="user"))            # (n, dim)
            kv.push(keys, gradients, table="user")
            kv.clock()                                             # end of the round
"""

from .consistency import ASP, BSP, EASGD, SSP, BoundedDelay, Consistency, consistency_of
from .elastic import ElasticAverage, elastic_step, stable_alpha
from .export import merge_state_dicts
from .filters import KeyCaching, SignificantlyModified, ValueCompression
from .hierarchy import Aggregator, cluster_of_racks, serve_aggregator
from .init import Init, Integers, Uniform, Zeros
from .partition import ConsistentHash, HashPartition, Partition, RangePartition, move_rows, movement_plan
from .per_range import PerRange
from .regroup import regroup
from .rules import FTRL, SGD, AdaGrad, Adam, Custom, Momentum, RMSProp, RowWiseAdaGrad, Rule
from .scheduler import Scheduler, serve_scheduler
from .scheduler_cluster import cluster
from .scheduler_node import Node, join
from .scheduler_status import Status
from .server import KVServer
from .serving import serve
from .tables import TableConfig
from .vector_clock import RangeClocks, VectorClock
from .worker import KVWorker

__all__ = ["ASP", "BSP", "EASGD", "FTRL", "SGD", "SSP", "AdaGrad", "Adam", "Aggregator", "BoundedDelay", "Consistency",
           "ConsistentHash", "Custom", "ElasticAverage", "HashPartition", "Init", "Integers", "KVServer", "KVWorker",
           "KeyCaching", "Momentum", "Node", "Partition", "PerRange", "RMSProp", "RangeClocks", "RangePartition",
           "RowWiseAdaGrad", "Rule", "Scheduler", "SignificantlyModified", "Status", "TableConfig", "Uniform",
           "ValueCompression", "VectorClock", "Zeros", "cluster", "cluster_of_racks", "consistency_of", "elastic_step",
           "join", "merge_state_dicts", "move_rows", "movement_plan", "regroup", "serve", "serve_aggregator",
           "serve_scheduler", "stable_alpha"]
