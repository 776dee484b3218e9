"""Lab 0A, patterns from messages: programs of ranks, and the collectives that everything else stands on.

    0A.0  role, ping_pong,     first contact: ranks, messages, a deadlock on purpose      lab0a_first.py
          jam, circle
    0A.1  broadcast            the binomial tree                                           lab0a_broadcast.py
    0A.2  reduce_scatter       the first half of the ring                                  lab0a_scatter.py
    0A.3  ring_all_reduce      the whole ring                                              lab0a_ring.py
    0A.4  tree_or_ring         from how many bytes on the ring is faster                   lab0a_switch.py
    0A.5  choices              four questions                                              lab0a_quiz.py

Links, shared runs, standstills and sentences that lab 0B needs as well: lab0_common.py.
"""

from .lab0a_broadcast import BROADCAST
from .lab0a_first import FIRST
from .lab0a_quiz import QUIZ
from .lab0a_ring import RING
from .lab0a_scatter import SCATTER
from .lab0a_switch import SWITCH

EXERCISES = (FIRST, BROADCAST, SCATTER, RING, SWITCH, QUIZ)
