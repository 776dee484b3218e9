"""The simulated world: one process, virtual time, a thousand ranks.

    world      what a caller sees: SimWorld(...).run(program)
    kernel     the clock, the queue of events, the ranks
    carriers   what a rank runs on: a thread or a greenlet
    endpoint   what a rank calls; mail and time
    transfer   tensors between two ranks: match, ports, landing
    deadlock   the table of who waits for whom
    globals    torch's and Python's global state, one copy a rank
    watch      a rank that never comes back; prints of ranks
    faults     loss, duplication, delay, stragglers, crashes
"""

from .world import SimWorld

__all__ = ["SimWorld"]
