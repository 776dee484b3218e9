"""Lab 1, why a parameter server: what fills up first, what a model is to a server, and what many machines gain.

    1.1  busiest_link, times_slower               bytes per direction; the ratio of two steps        lab1_ports.py
    1.2  as_key_values, from_key_values           a PyTorch model as ranges of 64-bit keys, and back lab1_keys.py
    1.3  speedup_and_efficiency, serial_fraction  strong and weak scaling, Amdahl's law              lab1_scaling.py
    1.4  where_is_w                               whether there is one w_t, from a trace of replicas lab1_replicas.py
    1.5  generations                              who could do what, at most a point                 lab1_history.py

What runs around answers in the student's process: lab1_programs.py. References and judges know nothing of pslab.ps and
pslab.cost, and answers may not use them.
"""

from .lab1_history import HISTORY
from .lab1_keys import KEYS
from .lab1_ports import PORTS
from .lab1_replicas import REPLICAS
from .lab1_scaling import SCALING

EXERCISES = (PORTS, KEYS, SCALING, REPLICAS, HISTORY)
