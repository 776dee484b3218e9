"""Lab 6, sparse embedding tables: what a look-up costs, what its gradient is, and how rows learn from it.

    6.1  bag_forward                                    ids in bags to pooled rows      lab6_forward.py, lab6_bags.py
    6.2  bag_backward                                   the row-sparse gradient         lab6_backward.py, lab6_bags.py
    6.3  dedup_lookup                                   each row once over the wire     lab6_lookup.py
    6.4  new_state, rowwise_adagrad                     one number of state for a row   lab6_rowwise.py
    6.5  dense_adam, lazy_adam, moved_untouched         Adam on rows, and its pitfall   lab6_adam.py
    6.6  touched, expected_touched, sigmas              which rows a batch touches      lab6_touched.py

Programs around the answers: lab6_programs.py. References and judges know nothing of pslab.embedding, and answers may
not use it.
"""

from .lab6_adam import ADAM
from .lab6_backward import BACKWARD
from .lab6_forward import FORWARD
from .lab6_lookup import LOOKUP
from .lab6_rowwise import ROWWISE
from .lab6_touched import TOUCHED

EXERCISES = (FORWARD, BACKWARD, LOOKUP, ROWWISE, ADAM, TOUCHED)
