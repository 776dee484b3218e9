"""Lab 3, sharding the server: which server has a row, and what follows from it.

    3.1  range_owner, hash_owner, ring_owner     owners by ranges, by a hash, on a ring of points     lab3_owners.py
    3.2  split, merge                            a request to several servers, and back in order      lab3_split.py
    3.3  movement_plan                           which rows move when the number of servers changes   lab3_movement.py
    3.4  hottest, route_reads, route_writes      copies of the few keys that everybody wants          lab3_hot.py
    3.5  how_many_servers, uplink_bytes          the K×S bottleneck, and racks                        lab3_servers.py

What the exercises share: lab3_common.py. References and judges know nothing of pslab.ps, and answers may not use it.
"""

from .lab3_hot import HOT
from .lab3_movement import MOVEMENT
from .lab3_owners import OWNERS
from .lab3_servers import SERVERS
from .lab3_split import SPLIT

EXERCISES = (OWNERS, SPLIT, MOVEMENT, HOT, SERVERS)
