"""Lab 4, synchronous and asynchronous: who waits for whom, what that costs, and what not waiting costs.

    4.1  bsp_server                  a round closes when every sender is there            lab4_bsp.py
    4.2  asp_server                  nobody waits, each push is a step                    lab4_asp.py
    4.3  staleness, mean_staleness   how old each update was, from a trace                lab4_staleness.py
    4.4  stable_rate                 the learning rate that a staleness bears             lab4_rate.py
    4.5  backup_server               a round closes on the first K − b                    lab4_backup.py
    4.6  who_was_slow                the straggler, and of which kind                     lab4_slow.py

Workers around the answers: lab4_workers.py. The server of rounds that judges go by: lab4_rounds.py.
"""

from .lab4_asp import ASP
from .lab4_backup import BACKUP
from .lab4_bsp import BSP
from .lab4_rate import RATE
from .lab4_slow import SLOW
from .lab4_staleness import EXERCISE as STALENESS

EXERCISES = (BSP, ASP, STALENESS, RATE, BACKUP, SLOW)
