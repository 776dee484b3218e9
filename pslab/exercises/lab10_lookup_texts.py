"""What is believed about a lookup in autograd: the sentences of 10.2."""

from __future__ import annotations

from pslab.grade import Misconception

from .lab10_common import told

_SENTENCES = {
    "10/silent-when-empty": "A rank without ids says nothing and the others wait for it; an empty message is how they "
    "learn that it asks for no row, and it still owns rows that others want.",
    "10/order-of-the-owners": "Rows are in the order in which owners, or sorted ids, came; each place gets the row of "
    "its own id.",
    "10/one-row-for-duplicates": "Duplicates got one row together; ask once, and give every place its row.",
    "10/wrong-row": "A place has the row of another id; the owner of an id is id mod K, its place there id div K.",
    "10/each-place-asked": "An id that comes twice is asked for twice; name each different id once, and it travels "
    "once each way.",
    "10/ids-to-everyone": "Every owner is sent all ids; each id has one owner, and the others have no use for it.",
    "10/ids-in-four-bytes": "Ids travelled in four bytes; a table of terabytes has ids past 2^31, so they are int64.",
    "10/sizes-first": "Sizes travelled before the ids; a message brings its own length along.",
    "10/rows-in-double": "Rows of float32 travelled as float64, twice the bytes; send what the table has.",
    "10/whole-table-travels": "Whole parts of the table travelled, which is an all-gather; a lookup moves the rows "
    "that were asked for.",
    "10/more-than-asked": "More travelled than each id once and each row once.",
    "10/one-by-one": "Ids or rows left one by one; all that goes to one rank fits into one message.",
    "10/no-gradient": "No gradient arrives in table.grad: rows came out of the network as new tensors that autograd "
    "does not know; a torch.autograd.Function says what their way back is.",
    "10/last-gradient-wins": "Of several places with the same id the last gradient replaced the others; they add up.",
    "10/last-rank-wins": "Of several ranks with the same id the last one's gradient replaced the others; the owner "
    "adds them up.",
    "10/own-gradients-alone": "The owner has only its own gradients; those of the other ranks belong to its rows, too.",
    "10/own-gradients-lost": "The owner's own gradients are missing; they need no message, but they count.",
    "10/mean-of-the-ranks": "You divided by the number of ranks; backward gives the sum, and where a mean is wanted it "
    "stands in the loss, once.",
    "10/uphill": "The gradient has the wrong sign; backward hands on what came, and the optimizer subtracts.",
    "10/single-precision": "Gradients of float64 went through float32; make buffers by grad.new_zeros, which keeps the "
    "dtype.",
    "10/wrong-sum": "A row has another gradient than the sum over every place of every rank that looked it up.",
    "10/gradient-of-each-place": "Each place sent its own gradient; add up at home what belongs to the same id, and it "
    "travels once.",
    "10/ids-again": "Ids travelled again with the gradients; the owner knows from forward who asked for what, in which "
    "order.",
    "10/dense-gradient": "A gradient for every row of the part travelled; only rows that were looked up have one, and "
    "the others' zeros are most of a table.",
    "10/last-lookup-only": "With several look-ups in one graph a gradient belongs to the wrong one: what backward "
    "needs lies where the next forward overwrites it; each call has a ctx of its own.",
}

MISCONCEPTIONS = (*(Misconception(*item) for item in _SENTENCES.items()),
                  *told("10/arguments-changed", "10/everyone-sends-first", "10/everyone-receives-first",
                        "10/sent-and-never-received", "10/by-a-side-door"))
