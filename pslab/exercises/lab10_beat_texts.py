"""What is believed about the hybrid against its rivals: the sentences of 10.5."""

from __future__ import annotations

from pslab.grade import Misconception

from .lab10_common import told
from .lab10_step_texts import VALUES

MISCONCEPTIONS = (
    *(Misconception(name, VALUES[name]) for name in (
        "10/rows-averaged-twice", "10/unequal-unweighted", "10/dense-not-averaged", "10/stale-rows",
        "10/dense-one-step-late", "10/rows-stay", "10/not-divided", "10/another-step", "10/wrong-rows")),
    Misconception("10/not-the-own-sum", "A loss is that of all workers, or a mean; asked for is the sum over this "
                  "worker's own examples of each step."),
    Misconception("10/another-model", "Losses are right and the model at the end is not: the last step is missing, "
                  "or a worker's copy differs."),
    Misconception("10/rows-sent-dense", "The whole table's gradient travelled in each step: that is all-reduce "
                  "everything under another name."),
    Misconception("10/one-port-has-all", "One worker's port carries what the others could share; the total may be "
                  "right and everybody waits for that port."),
    Misconception("10/more-than-needed", "More travelled than ids, rows and gradients of different ids, and the "
                  "dense part once around."),
    Misconception("10/slower", "The bytes are few and the clock is not: messages wait for each other that could "
                  "travel side by side, or beside computing."),
    Misconception("10/ids-are-free", "You let ids travel for free; each has 8 bytes, and to a server they go "
                  "twice, with the pull and with the push."),
    Misconception("10/own-rows-travel", "Of a worker's rows one in K is its own and needs no message."),
    Misconception("10/one-way-only", "You counted rows one way; out of a worker go its gradients, and the rows "
                  "that others ask of it."),
    Misconception("10/worker-port-only", "You looked at a worker's port; the requests of all K meet at S servers, "
                  "and with fewer servers than workers a server's port is the fullest."),
    Misconception("10/touched-rows-in-the-ring", "A dense all-reduce carries the whole table's gradient, zeros "
                  "included; that only touched rows travel is the other two's advantage."),
    Misconception("10/all-links-together", "You added all links up; the clock waits for the fullest port, so give "
                  "the bytes of one direction of that one."),
    Misconception("10/miscounted", "Count for each contender who sends how many bytes through which port, and take "
                  "the fuller direction of the fullest."),
    *told("10/by-a-side-door", "10/everyone-sends-first", "10/everyone-receives-first",
          "10/sent-and-never-received"),
)
