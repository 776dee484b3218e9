"""Lab 0B: all-to-all, compression, DDP on a ring of one's own, and overlap.

    0B.1  all_to_all        every rank a part for every rank                  lab0b_all_to_all.py
    0B.2  largest           the k largest numbers travel, the rest waits      lab0b_top_k*.py
          sparse_sum
    0B.3  ring_hook         DistributedDataParallel over a ring               lab0b_hook.py
    0B.4  overlapped_sum    a gradient travels while the next is computed     lab0b_overlap.py

lab0b_programs.py holds programs that run around answers.
"""

from .lab0b_all_to_all import ALL_TO_ALL
from .lab0b_hook import HOOK
from .lab0b_overlap import OVERLAP
from .lab0b_top_k_checks import TOP_K

EXERCISES = (ALL_TO_ALL, TOP_K, HOOK, OVERLAP)
