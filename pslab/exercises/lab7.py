"""Lab 7, embeddings of terabytes: which budget a change relieves, caches, short rows, and rows of other workers.

    7.1  effect, relieves                     bytes that lie and bytes that move, before and after     lab7_effect.py
    7.2  LRU, split_misses, belady_hits       a cache of the last rows, and what no cache can do       lab7_lru.py
    7.3  quantize8 … stochastic_round         rows of 8 and of 4 bits with a scale and a minimum       lab7_codes.py
    7.4  qr_shapes … qr_wire_bytes            a row from two small tables                              lab7_quotient.py
    7.5  ShardedLookup                        ids out, rows back, gradients to their owners            lab7_lookup.py
    7.6  replicate_wins                       a copy on each worker, or a shard                        lab7_replicate.py
    7.7  ExactCache, rows_saved               a cache in exact training, its saving told beforehand    lab7_exact.py

What the exercises share: lab7_common.py; the programs around answers: lab7_programs.py. References know nothing of
pslab.embedding, and answers may not use it.
"""

from .lab7_codes import CODES
from .lab7_effect import EFFECT
from .lab7_exact import EXACT
from .lab7_lookup import LOOKUP
from .lab7_lru import CACHE
from .lab7_quotient import QUOTIENT
from .lab7_replicate import REPLICATE

EXERCISES = (EFFECT, CACHE, CODES, QUOTIENT, LOOKUP, REPLICATE, EXACT)
