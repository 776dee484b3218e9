"""9.3: what the student reads: the task, the worked case, the hints, and a sentence for every slip."""

from pslab.grade import Misconception

SIGNATURE = """\
def combine_sparse(comm, ids, grads, table)
    # rank k < K, a worker: ids (L,) int64, grads (L, D) float32, table None -> (unique ids (u,), updated rows (u, D))
    # rank K, the server:   ids None, grads None, table (V, D) float32        -> the updated table (V, D)
def combine_dense(comm, ids, grads, table)
    # each of K ranks:      ids (L,) int64, grads (L, D) float32, table (V, D) float32 -> the updated table (V, D)"""

GOAL = ("One synchronous step on an embedding table, two ways, with the same table at the end, bit for bit: row <- "
        "row - (sum over all workers of its gradients) / K. The sparse way moves the touched rows up and down, "
        "whatever the table's size; the dense way moves 2(K-1) tables over all links. Only send, recv, isend and "
        "irecv.")

EXAMPLE = ("K = 2, rows 10, 20, 30, 40. Worker 0 has gradient 2 for row 1 and 6 for row 3, worker 1 has 10 for row "
           "1. Row 1 becomes 20 - (2 + 10)/2 = 14, row 3 becomes 40 - (6 + 0)/2 = 37, the others stay. Worker 0 "
           "comes back with ids [1, 3] and rows [14, 37], worker 1 with ids [1] and row [14].")

HINTS = (
    "Write combine_sparse for a worker first: make its ids unique, add up the gradients of equal ids, send ids and "
    "rows to rank K, receive the updated rows. `torch.unique(ids, return_inverse=True)` and `index_add_` do the "
    "first half.",
    "The server must have heard from every worker before it answers any: two loops over the K workers, one that "
    "receives and adds, one that sends `table[ids]`. K is comm.world_size - 1 there. Adding with `index_add_(0, ids, "
    "-rows / K)` needs no second table.",
    "Dense: fill zeros of the table's shape with index_add_, then sum over the ranks. Your ring from lab 0A does it; "
    "so does everyone sending to rank 0, which adds up and sends the sum back: also 2(K-1) tables in all. Divide by "
    "K, which is comm.world_size here, and subtract from the replica.",
)

MISCONCEPTIONS = (
    Misconception("9/mean-over-touching", "You divided each row by the number of workers that touched it; a worker "
                  "that did not touch it contributes a gradient of zero, and zeros count in "
                  "a mean: divide by all K."),
    Misconception("9/last-writer-wins", "You let the last worker's gradient replace the others'; a push adds to "
                  "what is there, since every worker saw other examples."),
    Misconception("9/no-division", "You took the sum where the mean is asked for; with K workers the step is K "
                  "times too long, as if the learning rate were."),
    Misconception("9/divided-twice", "You divided by K twice, once at the workers and once where the sum is; one of "
                  "the two is the mean, both make the step K times too short."),
    Misconception("9/server-is-no-worker", "You divided by a count of ranks that is not the number of workers; the "
                  "server has no examples, so of the world's K + 1 ranks K count."),
    Misconception("9/mean-over-lookups", "You divided each row by how often it was looked up; the loss is a mean "
                  "over the workers, so a popular row collects all of its gradients and is "
                  "divided by K like every other."),
    Misconception("9/duplicates-lost", "You kept one gradient where an id came several times; rows[ids] += grads "
                  "writes equal ids over one another, index_add_ (or np.add.at) adds them."),
    Misconception("9/ids-in-order", "You treated the ids as if they came sorted; the gradient at place i belongs to "
                  "ids[i], in whatever order the batch named its rows."),
    Misconception("9/uphill", "You added the gradient; a step of descent subtracts it."),
    Misconception("9/constant-k", "You divided by a fixed number; how many workers there are is known only when the "
                  "program runs, from comm.world_size."),
    Misconception("9/no-update", "The table came back as it was; every row that a worker touched has to move against "
                  "its mean gradient."),
    Misconception("9/wrong-table", "The table is not the one of the mean gradient over all K workers: sum everybody's "
                  "rows, divide by K once, subtract."),
    Misconception("9/rounded-share", "You multiplied by 1/K or divided before adding up, and 1/3 is no float32, so the "
                  "last bit is lost; add up everybody's whole numbers and divide the sum by K, which is exact."),
    Misconception("9/ids-of-the-answer", "You came back with other ids; a worker's answer names each of its rows once, "
                  "ascending, whatever it was given."),
    Misconception("9/answered-too-early", "You answered a worker before all had pushed; its rows then lack what came "
                  "later, so the workers go on with different models."),
    Misconception("9/pull-before-push", "You came back with rows as they were before the step; what the next batch "
                  "needs is the row after everybody's gradient."),
    Misconception("9/only-root-knows", "You left the sum with one rank; after an all-reduce every rank has it, or the "
                  "replicas differ from the next step on."),
    Misconception("9/whole-table-travels", "You sent an array of the table's size; the gradient of an embedding is "
                  "zero in all rows but the few that were looked up, and only those need "
                  "to travel."),
    Misconception("9/every-lookup-travels", "You sent a row for every look-up; gradients of equal ids can be added "
                  "before they leave, so that each row travels once."),
    Misconception("9/more-than-rows-and-keys", "You sent more than each touched row and its key; look at the links "
                  "of your run for what goes twice, or in 8 bytes a number instead of 4."),
    Misconception("9/rows-go-to-the-owner", "You let rows travel between workers; with a server each row has one "
                  "owner, and only links to and from it are needed."),
    Misconception("9/ranks-share-nothing", "You used numbers that were never sent; ranks share no variables, and what "
                  "looks like one Python global in the simulator is K separate ones on real machines."),
    Misconception("9/dense-carries-zeros", "You moved less than the dense combine does; an all-reduce cannot tell "
                  "which rows are zero and carries them all, and leaving them out is the "
                  "sparse way."),
    Misconception("9/ring-moves-k", "You went round one time too often; after K-1 rounds a chunk has been at all K "
                  "ranks, because it need not travel to where it started."),
    Misconception("9/everyone-to-everyone", "You sent every array to every rank, K(K-1) of them; adding up on the "
                  "way, or at one rank, needs 2(K-1)."),
    Misconception("9/table-sized-scratch", "You allocated an array of the table's size for a handful of rows; with "
                  "51 GB of table there is no room for a second one."),
)
