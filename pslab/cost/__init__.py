"""Closed forms: how many bytes, through which port, in how many seconds. Pure functions that import nothing of ours.

    >>> from pslab import cost
    >>> cost.ring_all_reduce(elements=1_000, K=4).ports[0]              # equal to ledger.port(0) of a run
    Port(out_bytes=6000, in_bytes=6000)
    >>> cost.parameter_server(elements=1_000, K=4, S=1).servers[0]
    Port(out_bytes=16000, in_bytes=16000)

    ports         Port, Traffic: bytes per port and direction, α–β seconds, the chunks of tensor_split
    collectives   ring all-reduce, reduce-scatter, all-gather; broadcast; all-to-all; sparse all-gather
    patterns      more ways to broadcast, reduce, gather and scatter
    algorithms    trees, halving–doubling, chunked ring, groups with leaders, scatter and gather
    racks         bytes over the uplinks of racks, by algorithm and rank order; the time on racks
    fitting       α and β from measured times; the fastest all-reduce by them, and where it switches
    predict       seconds of each all-reduce on links with overhead and latency, and the fastest
    fitted        a world that was measured: its α and β, and by how much each algorithm departs from them
    compression   half precision, one bit, top-k, PowerSGD: message bytes, and how each is combined
    servers       parameter servers: apart, colocated, dense, sparse
    server_time   seconds of a step with servers, by schedule; how many servers are enough; aggregators in racks
    scaling       speedup and efficiency, strong and weak; Amdahl's law fitted
    strategies    one step of a recommender: allreduce, server, hybrid
    crossover     when a dense all-reduce of a table is cheaper than a server (exercise 11.9.1), by five ways to count
    rivals        dense ring, server, sparse all-gather: bytes by port, and the memory each of them asks for
    hot           hot rows replicated and all-reduced, the tail on servers: from which row on, and the gain
    choose        server, all-reduce or sparse all-gather for a group of parameters, with the binding reason;
                  choose_cases: decisions worked out by hand
    accounting    the printed numbers of section 11.9, and the fair ones
    terabyte      memory and bytes a step of a table that no machine holds; terabyte_popularity: which rows are asked
                  for; terabyte_chapter: the printed numbers of section 11.7, and what they leave out;
                  terabyte_choices: what a change does (exercise 11.7.1), replicate or shard (11.7.3)

The terabyte's names and those of hot rows are imported when first touched: they need NumPy, the others need nothing.
"""

from importlib import import_module
from typing import TYPE_CHECKING

from .accounting import Accounting119, accounting_11_9
from .algorithms import (
    binomial_all_reduce,
    binomial_reduce,
    chunked_ring_all_reduce,
    chunked_ring_s,
    gather,
    halving_doubling_all_reduce,
    hierarchical_all_reduce,
    recursive_doubling_all_reduce,
    scatter,
)
from .choose import Choice, choose
from .choose_cases import CHOICE_CASES, ChoiceCase
from .collectives import (
    all_reduce_bytes_even,
    all_to_all,
    broadcast,
    ring_all_gather,
    ring_all_reduce,
    ring_reduce_scatter,
    sparse_all_gather,
)
from .compression import (
    half_all_reduce,
    one_bit_all_gather,
    one_bit_message_bytes,
    power_sgd_all_reduce,
    top_k_all_gather,
    top_k_message_bytes,
)
from .crossover import CROSSOVER_VIEWS, CrossoverBytes, crossover_bytes, crossover_fraction, crossover_rows
from .fitted import Fitted
from .fitting import AlphaBeta, Best, best_all_reduce, fit, ring_from_bytes
from .patterns import (
    binomial_gather,
    binomial_scatter,
    broadcast_s,
    bruck_all_gather,
    direct_all_gather,
    direct_broadcast,
    direct_reduce,
    fastest_broadcast,
    fastest_reduce,
    pairwise_reduce_scatter,
    reduce_s,
    reduce_scatter_gather,
    scatter_all_gather,
)
from .ports import Port, Traffic, add_traffic, alpha_beta_s, chunk_sizes
from .predict import ALL_REDUCES, Fastest, all_reduce_s, fastest_all_reduce
from .racks import all_reduce_links, all_reduce_on_racks_s, uplink_bytes
from .rivals import RIVALS, Rival, gather_over_server, three_rivals
from .rivals_time import strategy_step_s
from .scaling import (
    Amdahl,
    amdahl_speedup,
    fit_amdahl,
    gustafson_speedup,
    processes_to_beat_one,
    strong_scaling,
    weak_scaling,
)
from .server_time import (
    HierarchicalTraffic,
    LeastServers,
    hierarchical_servers,
    hierarchical_step_s,
    least_servers,
    one_way_s,
    step_s,
)
from .servers import ServerTraffic, colocated_servers, parameter_server, server_step_s, sparse_server
from .strategies import STRATEGIES, PortSplit, StepBytes, strategy_port_bytes

_WHERE = {
    "EmbeddingStep": "terabyte",
    "all_to_all_bytes": "terabyte",
    "embedding_step": "terabyte",
    "row_bytes": "terabyte",
    "step_flop": "terabyte",
    "table_bytes": "terabyte",
    "Popularity": "terabyte_popularity",
    "cache_hit_rate": "terabyte_popularity",
    "chapter_popularity": "terabyte_popularity",
    "lru_memory": "terabyte_popularity",
    "popularity_of": "terabyte_popularity",
    "zipf_popularity": "terabyte_popularity",
    "CacheRow": "terabyte_chapter",
    "LeftOut": "terabyte_chapter",
    "chapter_designs": "terabyte_chapter",
    "chapter_left_out": "terabyte_chapter",
    "chapter_lookups": "terabyte_chapter",
    "chapter_printed": "terabyte_chapter",
    "chapter_step": "terabyte_chapter",
    "chapter_table": "terabyte_chapter",
    "Effect": "terabyte_choices",
    "EmbeddingSpec": "terabyte_choices",
    "ReplicaSpec": "terabyte_choices",
    "effect": "terabyte_choices",
    "replicate_wins": "terabyte_choices",
    "HotSplit": "hot",
    "hot_split": "hot",
    "hot_threshold": "hot",
    "split_bytes": "hot",
    "touch_probability": "hot",
}

__all__ = ["ALL_REDUCES", "CHOICE_CASES", "CROSSOVER_VIEWS", "RIVALS", "STRATEGIES", "Accounting119", "AlphaBeta",
           "Amdahl", "Best", "CacheRow", "Choice", "ChoiceCase", "CrossoverBytes", "Effect", "EmbeddingSpec",
           "EmbeddingStep", "Fastest", "Fitted", "HierarchicalTraffic", "HotSplit", "LeastServers", "LeftOut",
           "Popularity", "Port", "PortSplit", "ReplicaSpec", "Rival", "ServerTraffic", "StepBytes", "Traffic",
           "accounting_11_9", "add_traffic", "all_reduce_bytes_even", "all_reduce_links", "all_reduce_on_racks_s",
           "all_reduce_s", "all_to_all", "all_to_all_bytes", "alpha_beta_s", "amdahl_speedup", "best_all_reduce",
           "binomial_all_reduce", "binomial_gather", "binomial_reduce", "binomial_scatter", "broadcast", "broadcast_s",
           "bruck_all_gather", "cache_hit_rate", "chapter_designs", "chapter_left_out", "chapter_lookups",
           "chapter_popularity", "chapter_printed", "chapter_step", "chapter_table", "choose", "chunk_sizes",
           "chunked_ring_all_reduce", "chunked_ring_s", "colocated_servers", "crossover_bytes", "crossover_fraction",
           "crossover_rows", "direct_all_gather", "direct_broadcast", "direct_reduce", "effect", "embedding_step",
           "fastest_all_reduce", "fastest_broadcast", "fastest_reduce", "fit", "fit_amdahl", "gather",
           "gather_over_server", "gustafson_speedup", "half_all_reduce", "halving_doubling_all_reduce",
           "hierarchical_all_reduce", "hierarchical_servers", "hierarchical_step_s", "hot_split", "hot_threshold",
           "least_servers", "lru_memory", "one_bit_all_gather", "one_bit_message_bytes", "one_way_s",
           "pairwise_reduce_scatter", "parameter_server", "popularity_of", "power_sgd_all_reduce",
           "processes_to_beat_one", "recursive_doubling_all_reduce", "reduce_s", "reduce_scatter_gather",
           "replicate_wins", "ring_all_gather", "ring_all_reduce", "ring_from_bytes", "ring_reduce_scatter",
           "row_bytes", "scatter", "scatter_all_gather", "server_step_s", "sparse_all_gather", "sparse_server",
           "split_bytes", "step_flop", "step_s", "strategy_port_bytes", "strategy_step_s", "strong_scaling",
           "table_bytes", "three_rivals", "top_k_all_gather", "top_k_message_bytes", "touch_probability",
           "uplink_bytes", "weak_scaling", "zipf_popularity"]

if TYPE_CHECKING:  # for editors: the same names, resolved without running anything
    from .hot import HotSplit, hot_split, hot_threshold, split_bytes, touch_probability
    from .terabyte import EmbeddingStep, all_to_all_bytes, embedding_step, row_bytes, step_flop, table_bytes
    from .terabyte_chapter import (
        CacheRow,
        LeftOut,
        chapter_designs,
        chapter_left_out,
        chapter_lookups,
        chapter_printed,
        chapter_step,
        chapter_table,
    )
    from .terabyte_choices import Effect, EmbeddingSpec, ReplicaSpec, effect, replicate_wins
    from .terabyte_popularity import (
        Popularity,
        cache_hit_rate,
        chapter_popularity,
        lru_memory,
        popularity_of,
        zipf_popularity,
    )


def __getattr__(name: str):
    """Import the file that holds `name` on first use (PEP 562)."""
    if name not in _WHERE:
        raise AttributeError(f"module 'pslab.cost' has no attribute {name!r}")
    value = getattr(import_module(f"{__name__}.{_WHERE[name]}"), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_WHERE})
