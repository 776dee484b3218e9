"""The simulated world: one process, virtual time, a thousand ranks.

    world      what a caller sees: SimWorld(...).run(program)
    kernel     the clock, the queue, whose turn it is
    carriers   what a rank runs on: a thread or a greenlet
    endpoint   what a rank calls
    lane       ports, and what waits between two ranks
    uplink     what the ranks of a rack share
    transfer   tensors: a send and a receive meet
    letter     mail
    fast       the short way for the commonest case
    deadlock   the table of who waits for whom
    faults     what can go wrong
    state      global generators, one set a rank
    watch      prints, and a rank that never comes back
"""

from .faults import Faults
from .world import SimWorld

__all__ = ["Faults", "SimWorld"]
