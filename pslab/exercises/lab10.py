"""Lab 10, the hybrid recommender: embeddings sharded, the dense part all-reduced, both in one step.

    10.1  dot_interaction              every pair of vectors once           lab10_interaction.py
    10.2  sharded_lookup               a lookup that autograd knows         lab10_lookup*.py
    10.3  hybrid_step                  one step, equal to one process       lab10_step*.py, lab10_clock.py
    10.4  hot_or_tail                  which rows to replicate              lab10_hot.py
    10.5  train_hybrid, port_bytes     the hybrid against both baselines    lab10_beat.py, lab10_rivals.py

Programs around the answers: lab10_programs.py, lab10_net.py.
"""

from .lab10_beat import BEAT
from .lab10_hot import HOT
from .lab10_interaction import INTERACTION
from .lab10_lookup import LOOKUP
from .lab10_step import STEP

EXERCISES = (INTERACTION, LOOKUP, STEP, HOT, BEAT)
