"""What is believed about reads that may be old: the sentences of 5.2."""

from __future__ import annotations

from pslab.grade import Misconception

MISCONCEPTIONS = (
    Misconception("5/pulls-every-time", "Each read pulls the row; that is right and costs what BSP costs, while a copy "
                  "may be read for s iterations more."),
    Misconception("5/pulled-once", "A row is pulled once and kept for ever; after s iterations the copy may lack what "
                  "a read has to hold."),
    Misconception("5/kept-one-too-long", "A copy is read one iteration too long: with clock m it has all iterations "
                  "up to m - 1, and that has to be c - s - 1 at least."),
    Misconception("5/dropped-one-early", "A copy is thrown away one iteration too early; while m >= c - s it has all "
                  "that a read needs, and a row is pulled once in s + 1 iterations."),
    Misconception("5/age-of-the-pull", "You take your own iteration at the pull for the age of the row; how old a row "
                  "is depends on the slowest worker, whose clock comes with it."),
    Misconception("5/one-age-for-all", "One age serves all rows; a pull of one row makes no other row newer."),
    Misconception("5/own-update-is-news", "Your own update makes the copy count as new; it says nothing about what "
                  "the other workers have added since the pull."),
    Misconception("5/own-updates-missing", "A read lacks the reader's own updates; they belong onto the copy at once, "
                  "or a worker does not read its own writes."),
    Misconception("5/own-updates-twice", "Own updates are in the row twice; the row that the server gives has them "
                  "already."),
    Misconception("5/update-kept-back", "Updates wait at the worker until its next pull; the others count on having "
                  "them when you have committed the iteration."),
    Misconception("5/copy-handed-out", "You hand out the cached tensor itself; what the caller does to it, it does to "
                  "the copy. Return a clone."),
    Misconception("5/too-stale", "A read lacks an update that is older than s allows; every update of the iterations "
                  "up to c - s - 1 has to be there."),
    Misconception("5/pull-without-need", "A row was pulled although the copy at hand still had all that a read must "
                  "hold."),
    Misconception("5/not-a-sum", "What was read is no sum of updates, each once."),
    Misconception("5/update-lost", "An update has not reached the server's row, or has reached it twice."),
)
