"""What is believed about the hybrid step: the sentences of 10.3, of which 10.5 shares those of the values."""

from __future__ import annotations

from pslab.grade import Misconception

from .lab10_common import told

VALUES = {
    "10/rows-averaged-twice": "The rows' gradients are divided by K besides: they are parts of one mean already, and "
    "an owner adds them up.",
    "10/unequal-unweighted": "You averaged the workers' means as if their batches were equal; an example of a small "
    "batch then counts more than one of a large batch. Divide sums by global_size.",
    "10/rows-unweighted": "Dense gradients are weighted by examples and rows' gradients by workers; both belong to the "
    "same mean over global_size.",
    "10/dense-not-averaged": "Each worker steps by its own dense gradients, and the copies drift apart; add them up "
    "over the workers first.",
    "10/dense-averaged-twice": "Dense gradients are divided by global_size and by K; the sum over workers of the "
    "former is the mean already.",
    "10/not-divided": "Gradients are those of a sum; the step is by the mean over global_size examples.",
    "10/means-added": "You added the workers' means up, K times the step or so; each worker's sum over global_size is "
    "its share.",
    "10/stale-rows": "The rows are those from before the last push: in a synchronous step nobody reads a row before "
    "the gradients of the step before are in it.",
    "10/dense-one-step-late": "Dense gradients are applied a step late; that hides their travel and is another "
    "algorithm, with other losses.",
    "10/own-rows-alone": "An owner applies its own gradients only; those of the other workers belong to its rows, too.",
    "10/last-gradient-wins": "Of several look-ups of a row the last gradient replaced the others; they add up.",
    "10/rows-stay": "The rows never change; the owner takes their step, in place, in `table`.",
    "10/dense-stays": "The dense parameters never change; take the step in place, in the tensors of `dense`.",
    "10/uphill": "Losses rise: a step subtracts the gradient.",
    "10/wrong-rows": "The very first loss is another one: rows are at other places than their ids.",
    "10/another-step": "The first loss is right and later ones are not: some gradient is not lr times the mean over "
    "all examples of all workers.",
}
_SENTENCES = {
    **VALUES,
    "10/mean-returned": "You returned a mean; asked for is the sum of the losses of this worker's own examples.",
    "10/all-workers-returned": "You returned the loss of all workers; asked for is this worker's own, which needs no "
    "message.",
    "10/rows-sent-dense": "Right losses by the wrong road: a gradient for every row of the table travelled, as an "
    "all-reduce of the table has it. Only rows that were looked up have one.",
    "10/whole-to-everyone": "Every worker sent its whole dense gradient to every other; with chunks each number "
    "travels 2(K-1)/K times out of a worker.",
    "10/dense-more": "More travelled for the dense part than a ring carries.",
    "10/silent-without-examples": "Nothing travelled where nobody had examples; a worker cannot know that of the "
    "others.",
    "10/one-port-has-all": "All dense gradients pass through one worker's port; the total is a ring's, and the others "
    "wait for that port.",
    "10/each-place-sent": "Rows or gradients of the same id travelled once for each place; once for each different id "
    "is enough, both ways.",
    "10/ids-again": "Ids travelled again with the gradients; the owner knows them from the lookup.",
    "10/sparse-more": "More travelled than ids, rows and gradients of different ids, each once.",
    "10/layers-mixed": "A layer got another sum than that of its own gradients; where messages of several layers are "
    "under way, a tag for each layer keeps them apart.",
    "10/sent-after-backward": "The first dense gradient left after the last was computed; it can leave as soon as it "
    "is yielded.",
    "10/computing-waits": "Computing stood still until a message had arrived: wait for a layer's sum only after the "
    "next layer is computed.",
    "10/second-half-waits": "The first half of each sum travels beside backward and the second half after it: once a "
    "layer's chunks are in, send the sum on while the next layers are computed.",
}

MISCONCEPTIONS = (*(Misconception(*item) for item in _SENTENCES.items()),
                  *told("10/arguments-changed", "10/everyone-sends-first", "10/everyone-receives-first",
                        "10/sent-and-never-received", "10/by-a-side-door"))
