"""The contract grammar: criteria that labs share, each a function that returns a judge.

    V  values        equal to an independent reference; inputs unchanged            values.py
    B  traffic       bytes per link, port and in total, from below and above        traffic.py
    M  messages      how many                                                       traffic.py
    O  order         who sends to whom, in which order                              order.py
    T  virtual_time  seconds of the simulator under a stated port model             timing.py
    R  memory        peak bytes                                                     timing.py
    F  faults        many seeded misfortunes, the failing one named for replay      robust.py
    W  two_worlds    the simulator and real processes agree in values and bytes     robust.py
       formula       a function without a world, on a grid of questions             formula.py

    ring = Job("ring_all_reduce", lambda case: collective_trials(case, all_sums), result="sum")
    Criterion("values", values(ring, explains={"0/mean": means}, otherwise="0/chunks"), points=3)
    Criterion("bytes", traffic(ring, total=lambda t: exactly(8 * (t.K - 1) * t.P), more="0/whole-tensor"), points=2)

A `Trial` is one setting: arguments by rank and the results expected by rank. A `Job` says which of the student's
functions runs on which trials. Bounds are functions of the trial.
"""

from .compare import difference, short
from .formula import formula
from .order import order
from .robust import faults, two_worlds
from .timing import memory, virtual_time
from .traffic import Between, at_least, at_most, between, exactly, messages, traffic
from .trials import Job, Trial, collective_trials, integers, lengths, readable, world_sizes
from .values import values, wrong_rank

__all__ = ["Between", "Job", "Trial", "at_least", "at_most", "between", "collective_trials", "difference", "exactly",
           "faults", "formula", "integers", "lengths", "memory", "messages", "order", "readable", "short", "traffic",
           "two_worlds", "values", "virtual_time", "world_sizes", "wrong_rank"]
