"""Pictures of runs and of formulas, each with a table as its twin; one quiet style for all of them.

    viz.spacetime(run)                      who sent what to whom, when
    viz.table(run)                          the same run as rows, for those who do not see the picture
    viz.step(run, 3), viz.scrubber(run)     one step of a run; a player for all of them
    viz.timeline(run)                       what each rank does, when: computes, waits, sends
    viz.links(run.ledger, servers=1)        bytes on every link of a run
    viz.patterns({"broadcast": run, ...})   the links of several runs side by side
    viz.score_against_bytes({...})          accuracy against bytes: what a compression costs and saves
    viz.ring_walk(3)                        a ring all-reduce: whose parts are in which chunk, step by step
    viz.bars(...), viz.curve(...)           numbers with units
    viz.flow(...)                           boxes and arrows: a decision, a data flow
    viz.busiest_link(K, S, overlap)         ring against servers, from pslab.cost; with _widget: with sliders
    viz.server_ports(K, S)                  which port binds as servers are added; with _widget: with sliders
    viz.algorithms(size, K, racks)          seconds of every all-reduce, from pslab.cost; with _widget: with sliders
    viz.hash_ring(old, new, keys=...)       the ring of consistent hashing, before and after a server comes
    viz.shards(S, points)                   balance of S servers and what moves at S + 1; with _widget: with sliders
    viz.gantt({mode: lane})                 who computes and who waits under each mode, and when a target was reached
    viz.rounds(K, probability, slowdown, b) how long rounds take with stragglers and backup; with _widget: with controls
    viz.push_bytes(rows, dim)               bytes of a push and a pull with filters; with _widget: with controls
    viz.terabyte(capacity, exponent, ...)   bytes of a step on two billion rows; with _widget: with controls
    viz.budgets()                           the cost structure of such a table: memory, and what each lever saves
    viz.cache_curves(streams)               hit rates of cache policies by capacity; cache_by_exponent: by the Zipf's
    viz.touched(exponent, rows, lookups)    distinct rows of a batch, and their bytes; with _widget: with controls
    viz.touched_streams({name: ids})        the same of real streams, counted and expected
    viz.moved_rows({name: (moved, named)})  which rows a rule moved in which step, with a gradient and without
    viz.verdict_crossover()                 where a dense all-reduce moves fewer bytes: formula and ledger
    viz.verdict_choices()                   a chart of decisions, each with the question that settled it
    viz.verdict_square(corners)             {server, all-reduce} × {waiting, not}; verdict_actors: a learner and actors
    viz.verdict_bench(figures)              hybrid against both baselines, as `pslab bench verdict` measured them
    viz.staleness(s, kind, slow, lr)        time to a target under stragglers, from runs; with _widget: with controls
    viz.Table(columns, rows)                the twin, also useful alone
    viz.Note(text)                          a sentence that carries computed numbers

Each returns a `Picture`: the last line of a notebook cell shows it, `.text` is its twin in words, `.save(path)`
writes it. `viz.style("stage")` makes all of them large enough for a room.
"""

from .algorithms import algorithm_seconds, algorithms, algorithms_widget
from .charts import bars, curve, score_against_bytes
from .duel import busiest_link, busiest_link_widget, duel, redrawn
from .flow import Box, flow
from .gantt import gantt
from .links import links
from .moved import moved_rows
from .patterns import patterns
from .picture import Picture, Table, new_figure
from .push_bytes import push_bytes, push_bytes_widget, push_pull_bytes
from .rounds import drawn_rounds, round_time, rounds, rounds_widget, slow_rounds
from .scrubber import scrubber, step
from .server_ports import port_loads, server_ports, server_ports_widget
from .shards import sharding, shards, shards_widget
from .shards_ring import hash_ring, ring_shares
from .spacetime import spacetime, table
from .staleness import staleness, staleness_runs, staleness_widget
from .style import LOOKS, STAGE_PX, bytes_unit, look_of, number, seconds_unit, sized, style, style_name, styled, type_pt
from .terabyte import terabyte, terabyte_bytes, terabyte_widget
from .terabyte_budgets import budgets, terabyte_budgets
from .terabyte_caches import cache_by_exponent, cache_curves, cache_hit_rates
from .timeline import timeline
from .touched import touched, touched_rows, touched_widget
from .touched_streams import distinct_rows, fitted_exponent, touched_streams
from .verdict import verdict_bench
from .verdict_choose import verdict_choices
from .verdict_crossover import verdict_crossover
from .verdict_square import verdict_actors, verdict_square
from .walk import ring_walk
from .words import Note

__all__ = [
    "LOOKS",
    "STAGE_PX",
    "Box",
    "Note",
    "Picture",
    "Table",
    "algorithm_seconds",
    "algorithms",
    "algorithms_widget",
    "bars",
    "budgets",
    "busiest_link",
    "busiest_link_widget",
    "bytes_unit",
    "cache_by_exponent",
    "cache_curves",
    "cache_hit_rates",
    "curve",
    "distinct_rows",
    "drawn_rounds",
    "duel",
    "fitted_exponent",
    "flow",
    "gantt",
    "hash_ring",
    "links",
    "look_of",
    "moved_rows",
    "new_figure",
    "number",
    "patterns",
    "port_loads",
    "push_bytes",
    "push_bytes_widget",
    "push_pull_bytes",
    "redrawn",
    "ring_shares",
    "ring_walk",
    "round_time",
    "rounds",
    "rounds_widget",
    "score_against_bytes",
    "scrubber",
    "seconds_unit",
    "server_ports",
    "server_ports_widget",
    "sharding",
    "shards",
    "shards_widget",
    "sized",
    "slow_rounds",
    "spacetime",
    "staleness",
    "staleness_runs",
    "staleness_widget",
    "step",
    "style",
    "style_name",
    "styled",
    "table",
    "terabyte",
    "terabyte_budgets",
    "terabyte_bytes",
    "terabyte_widget",
    "timeline",
    "touched",
    "touched_rows",
    "touched_streams",
    "touched_widget",
    "type_pt",
    "verdict_actors",
    "verdict_bench",
    "verdict_choices",
    "verdict_crossover",
    "verdict_square",
]
