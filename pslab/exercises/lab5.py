"""Lab 5, bounded staleness: who may begin, what a read may miss, and how much staleness to choose.

    5.1  may_begin                              the clock rule of SSP                             lab5_gate.py
    5.2  CachedRows                             reads that may be s clocks old, own writes kept   lab5_reads.py
    5.3  merge, holds, concurrent, push_range   vector clocks, and one for a range of keys        lab5_clocks.py
    5.4  may_issue                              bounded delay: own requests under way             lab5_delay.py
    5.5  easgd_step, alpha_limit                models on springs                                 lab5_elastic.py
    5.6  choose_s                               the least s that is good enough, in twelve runs   lab5_choose.py

Programs that run in the student's process: lab5_programs.py, lab5_cluster.py, lab5_trainer.py. What all share:
lab5_common.py. Reads of 5.2 are held against pslab.ps.history; other references know nothing of pslab.ps.
"""

from .lab5_choose import CHOOSE
from .lab5_clocks import CLOCKS
from .lab5_delay import DELAY
from .lab5_elastic import ELASTIC
from .lab5_gate import GATE
from .lab5_reads import READS

EXERCISES = (GATE, READS, CLOCKS, DELAY, ELASTIC, CHOOSE)
