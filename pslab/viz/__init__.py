"""Pictures of runs and of formulas, each with a table as its twin; one quiet style for all of them.

    viz.spacetime(run)                      who sent what to whom, when
    viz.links(run.ledger, servers=1)        bytes on every link of a run
    viz.bars(...), viz.curve(...)           numbers with units
    viz.flow(...)                           boxes and arrows: a decision, a data flow
    viz.busiest_link(K, S, overlap)         ring against servers, from pslab.cost; with _widget: with sliders
    viz.Table(columns, rows)                the twin, also useful alone
    viz.Note(text)                          a sentence that carries computed numbers

Each returns a `Picture`: the last line of a notebook cell shows it, `print` gives its table, `.save(path)` writes it.
"""

from .charts import bars, curve
from .duel import busiest_link, busiest_link_widget, duel, redrawn
from .flow import Box, flow
from .links import links
from .picture import Picture, Table
from .spacetime import spacetime
from .style import LOOKS, bytes_unit, look_of, number, seconds_unit, sized, style, styled
from .words import Note

__all__ = [
    "LOOKS",
    "Box",
    "Note",
    "Picture",
    "Table",
    "bars",
    "busiest_link",
    "busiest_link_widget",
    "bytes_unit",
    "curve",
    "duel",
    "flow",
    "links",
    "look_of",
    "number",
    "redrawn",
    "seconds_unit",
    "sized",
    "spacetime",
    "style",
    "styled",
]
