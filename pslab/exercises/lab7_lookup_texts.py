"""What is believed about lookups between workers: the sentences of 7.5."""

from __future__ import annotations

from pslab.grade import Misconception

_SENTENCES = {
    "7/everyone-sends-first": "Every rank stands in a send and nobody receives; start with isend, receive, and wait "
    "afterwards.",
    "7/everyone-receives-first": "Every rank waits to receive before anybody has sent; start the sends with isend "
    "first.",
    "7/sent-and-never-received": "A message was sent that nobody received; each rank answers every rank that asks, "
    "also an empty question.",
    "7/silent-when-empty": "A worker without ids says nothing and the others wait for it; it still owns rows that "
    "others want, and an empty message is how they learn that it asks for none.",
    "7/order-of-the-owners": "Rows are in the order in which owners, or sorted ids, came; each place of the request "
    "gets the row of its own id.",
    "7/one-row-for-duplicates": "Duplicates got one row together; ask once, and give every place its row.",
    "7/wrong-row": "A place has the row of another id; the owner of an id is id mod K, its place there id div K.",
    "7/no-row-at-all": "What came back is no row of the table; nothing but rows may be written into the result.",
    "7/each-place-asked": "An id that comes twice is asked for twice; name each different id once, and it travels "
    "once each way.",
    "7/ids-to-everyone": "Every owner is sent all ids; each id has one owner, and the others have no use for it.",
    "7/ids-in-four-bytes": "Ids travelled in four bytes; a table of terabytes has ids past 2^31, so they are int64.",
    "7/sizes-first": "Sizes travelled before the ids; a message brings its own length along.",
    "7/whole-table-travels": "Whole parts of the table travelled, which is an all-gather; a lookup moves the rows "
    "that were asked for, and no table of terabytes could do otherwise.",
    "7/by-a-side-door": "Rows or ids reached a rank that nobody sent to it; ranks share no variables, as real "
    "machines do not.",
    "7/more-than-asked": "More travelled than ids once and rows once.",
    "7/one-by-one": "Ids or rows left one by one; all that goes to one rank fits into one message.",
    "7/last-gradient-wins": "Of several places with the same id the last gradient replaced the others; they add up.",
    "7/last-worker-wins": "Of several workers with the same id the last one's gradient replaced the others; the "
    "owner adds them up.",
    "7/own-gradients-alone": "The owner has only its own gradients; those of the other workers belong to its rows, "
    "too.",
    "7/own-gradients-lost": "The owner's own gradients are missing; they need no message, but they count.",
    "7/mean-of-the-workers": "You divided by the number of workers; asked for is the sum.",
    "7/gradients-pile-up": "Gradients of earlier batches are still in the sum; each backward belongs to its own "
    "forward.",
    "7/wrong-sum": "A row has another sum than that of all gradients of its id, from every place of every worker.",
    "7/gradient-of-each-place": "Each place sent its own gradient; add up at home what belongs to the same id, and "
    "it travels once.",
    "7/ids-again": "Ids travelled again with the gradients; the owner knows from forward who asked for what, in "
    "which order.",
    "7/gradient-of-the-table": "A gradient for every row of the part travelled; only rows that were looked up have "
    "one.",
}

MISCONCEPTIONS = tuple(Misconception(*item) for item in _SENTENCES.items())
