"""0B.2: what the student reads: the task, the worked case, the hints, and a sentence for every slip."""

from pslab.grade import Misconception

from .lab0_common import STUCK, told

SIGNATURE = """\
def largest(x, k)                                       # x (P,) -> (indices (k,) int32, values (k,) float32)
def sparse_sum(comm, name, gradient, k, residuals)      # gradient (P,) float32 -> (P,): the sum of all messages
    # residuals: this worker's own dict, empty before the first step; yours to fill: residuals[name] (P,)"""

GOAL = ("Each worker sends only the k numbers of largest magnitude of a gradient, with their places, to each other "
        "worker: 8k bytes. What it does not send it keeps, and adds to the next gradient of the same parameter. So, "
        "over all steps, nothing is lost.")

EXAMPLE = ("largest([3, -7, 0, 7, 2], 2) -> places 1 and 3, values -7 and 7. One worker, k = 1: gradient [3, -5] -> "
           "sum [0, -5], residual [3, 0]; then gradient [3, 1] -> sum [6, 0], residual [0, 1].")

HINTS = (
    "Three tensors, all of the gradient's shape: corrected = gradient + residual; sent, which is corrected at k places "
    "and 0 elsewhere; the new residual, which is the difference of the two. Which of them travels, and in what form?",
    "A stable descending sort of the magnitudes keeps equal ones in the order of their places: "
    "torch.sort(x.abs(), descending=True, stable=True). For the message: to every other worker k indices (int32) and k "
    "values (float32), as two messages with different tags; isend them all before you receive.",
    "Per call: c = gradient + residuals.get(name, 0); at, v = largest(c, k); post both to everybody; total = zeros; "
    "for every worker's (at, v), your own too, add v to total at its places (index_add_ adds); residuals[name] = c "
    "with zeros at your own places, in a tensor of its own.",
)

MISCONCEPTIONS = (
    *told(*STUCK, "0/ranks-share-nothing", "0/mean-for-sum", "0/input-changed"),
    Misconception("0B/signed-choice", "You chose the largest values; a gradient of -7 is as important as one of 7, so "
                  "compare magnitudes."),
    Misconception("0B/higher-index", "Of equal magnitudes the lower place goes first; where everybody follows one "
                  "rule, two machines with equal numbers make equal choices."),
    Misconception("0B/magnitude-sent", "You returned magnitudes; they decide which numbers travel, and the numbers "
                  "travel with their signs."),
    Misconception("0B/wrong-choice", "These are not the k largest magnitudes with their values; with fewer than k "
                  "numbers all of them go."),
    Misconception("0B/residual-dropped", "What was not sent is lost; keep it in residuals[name] and add it to the next "
                  "gradient of this parameter."),
    Misconception("0B/residual-of-another-parameter", "Two parameters share a residual; each has numbers of its own, "
                  "so keep one residual for each name."),
    Misconception("0B/residual-of-another-worker", "Two workers share a residual; a worker owes what it has not sent "
                  "itself, and in real processes it cannot even see what others owe."),
    Misconception("0B/residual-compressed", "You kept only the largest part of what was left; the residual never "
                  "travels, so it can be kept whole, and must be, or something is lost."),
    Misconception("0B/residual-without-total", "You took everybody's sum away from your residual; a worker owes what "
                  "it has not sent itself: corrected minus what it sent."),
    Misconception("0B/residual-of-one-step", "The residual forgets what was owed before this step; it is gradient plus "
                  "old residual, less what was sent."),
    Misconception("0B/residual-not-emptied", "What was sent is still in the residual, so it will be sent again; the k "
                  "places that travelled become zero there."),
    Misconception("0B/chosen-before-adding", "You chose by the bare gradient; small numbers that come again and again "
                  "never get their turn unless the residual counts in the choice."),
    Misconception("0B/own-message-forgotten", "A worker's own numbers are missing in its sum; it is a worker like all "
                  "others."),
    Misconception("0B/last-message-wins", "Where two workers sent the same place, one number replaced the other; "
                  "total[at] += v does so for equal places of one message too, index_add_ adds."),
    Misconception("0B/wrong-sum", "The sum is not that of what all workers sent in this step; follow one number on "
                  "paper through two steps."),
    Misconception("0B/residual-elsewhere", "The sums are right, and residuals[name] is not what this worker still "
                  "owes; leave it there, so that it can be looked at, saved and restored."),
    Misconception("0B/sent-dense", "As many bytes left as without compression; send the k values and their k places, "
                  "and let the receiver put the zeros back."),
    Misconception("0B/wide-message", "An index needs 4 bytes and a value needs 4; int64 indices, which torch returns, "
                  "or float64 values make the message half as long again or twice as long."),
    Misconception("0B/more-than-k-numbers", "More than k numbers and k places travelled to a worker for a parameter."),
    Misconception("0B/one-port-for-all", "All messages pass through one worker, whose port carries what K ports could "
                  "share; let each worker send its message to each other one."),
    Misconception("0B/does-not-arrive", "Whole numbers come out right, and yet the descent stays away from its goal; a "
                  "residual must keep fractions too."),
)
