"""Lab 2, push and pull: what a server does with a request, and what a worker does until it is answered.

    2.1  server_handle               one request, from letter to changed rows       lab2_handle.py
    2.2  adagrad_rows                rules that a server applies to rows            lab2_rules.py, lab2_rows.py
    2.3  ftrl_rows
    2.4  range_push, range_pull      a key range, cut where shards end              lab2_ranges.py
    2.5  apply_once, push_all        every push counts once                         lab2_once*.py, lab2_letters.py
    2.6  Window                      requests under way, with handles               lab2_window.py
    2.7  choices                     four questions                                 lab2_quiz.py

Programs around the answers: lab2_programs.py (one server's rows), lab2_cluster.py (workers and servers).
"""

from .lab2_handle import HANDLE
from .lab2_once import ONCE
from .lab2_quiz import QUIZ
from .lab2_ranges import RANGES
from .lab2_rules import ADAGRAD, FTRL
from .lab2_window import WINDOW

EXERCISES = (HANDLE, ADAGRAD, FTRL, RANGES, ONCE, WINDOW, QUIZ)
