"""Lab 2, push and pull: what a server does with a request, and what a worker does until it is answered.

    2.1  server_handle                one request, from letter to changed rows         lab2_handle.py
    2.2  adagrad_rows                 rules that a server applies to rows              lab2_rules.py, lab2_rows.py
    2.3  ftrl_rows
    2.4  range_push, range_pull       a key range, cut where shards end                lab2_ranges.py
"""

from .lab2_handle import HANDLE
from .lab2_ranges import RANGES
from .lab2_rules import ADAGRAD, FTRL

EXERCISES = (HANDLE, ADAGRAD, FTRL, RANGES)
