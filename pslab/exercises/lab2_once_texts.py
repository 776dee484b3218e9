"""2.5: what is asked, in words, hints in stages, and the sentence for each usual slip."""

from __future__ import annotations

from pslab.grade import Misconception

SIGNATURE = """def apply_once(rows, seen: dict, letter: dict, window: int) -> tuple[int, int]
    # rows (R,) float32, changed in place; seen: empty before the first letter, yours to fill
    # letter: sender, incarnation, number, keys (n,) int64 distinct, vals (n,)
    # returns (incarnation, number): the acknowledgement that the server sends back
def push_all(comm, server: int, incarnation: int, pushes: list, window: int, retry_s: float) -> None
    # pushes: [(keys, vals)]; number i is pushes[i]; letter "push", meta {"n": incarnation, "q": number}, [keys, vals]
    # answers are letters "ack" with the same meta"""

GOAL = ("apply_once, on the server: add each push to the rows once, however often its letter comes, and acknowledge "
        "every letter; remember no more than about a window for each sender. push_all, on the worker: have at most "
        "`window` pushes without an acknowledgement, send again what has none after retry_s seconds, return when all "
        "have one.")

EXAMPLE = ("letters of worker 1, incarnation 0: number 0, number 1, number 1 again -> rows get two pushes, answers "
           "(0, 0), (0, 1), (0, 1). Then worker 1 starts again and sends incarnation 1, number 0 -> a third push.")

HINTS = (
    "What can happen to one push: its letter is lost, its answer is lost, its letter comes twice. For each case: what "
    "does the worker do next, what does the server see, and what must it answer? The worker cannot tell the first two "
    "apart, so the server must.",
    "Numbers of one sender and incarnation: all below a mark have been recorded, and of those above it a few, which "
    "fit into a set; when the number at the mark comes, the mark moves past everything that is already there. A higher "
    "incarnation begins a new mark; a letter of a lower one is old.",
    "Worker: unacknowledged = {number: when it was sent}. While something is left: fill the window; letter = "
    "comm.poll(until the oldest one is due); an answer with this incarnation removes its number; whatever was sent "
    "retry_s ago or earlier is posted again and gets the time of now.",
)

MISCONCEPTIONS = (
    Misconception("2/applied-twice", "A push counted twice: its letter came again, for its answer had been lost or the "
                  "network had doubled it; a retry is safe only where the server knows a push again."),
    Misconception("2/push-lost", "A push never counted, though its letter came; what was not recorded yet is new, "
                  "whatever came before it."),
    Misconception("2/number-alone", "Two pushes were taken for one because they have the same number; each sender "
                  "counts from 0, and each of its lives."),
    Misconception("2/sender-ignored", "Pushes of two workers were taken for one; they have equal numbers, and the "
                  "sender tells them apart."),
    Misconception("2/incarnation-ignored", "A worker that started again counts from 0, and its new pushes were taken "
                  "for copies of old ones; the incarnation tells its lives apart."),
    Misconception("2/highest-number-only", "A push was dropped because a later one had overtaken it; the highest "
                  "number says nothing about those below it that have not come."),
    Misconception("2/new-life-forgets-all", "When one worker started again, the server forgot what it knew of the "
                  "others, and their copies counted again."),
    Misconception("2/any-other-life-is-new", "A late letter of a former life was taken for a new beginning, and what "
                  "was known was forgotten; only a higher incarnation is a new life."),
    Misconception("2/old-life-counts-again", "A late copy from a former life counted again; what an older incarnation "
                  "sent is over once a newer one has begun."),
    Misconception("2/copy-without-answer", "A copy was not acknowledged; the worker sends it because the first answer "
                  "was lost, and will send it for ever."),
    Misconception("2/wrong-answer", "An answer is (incarnation, number) of the letter that it answers."),
    Misconception("2/remembers-everything", "`seen` grows with every push; below a mark nothing is missing, so a mark "
                  "and the few numbers above it say the same."),
    Misconception("2/never-sent-again", "A push never arrived; its letter was lost, and only the worker can know that "
                  "no answer came."),
    Misconception("2/gives-up", "A push was sent again, and then no more; a copy can be lost as well."),
    Misconception("2/answers-counted", "Answers were counted, and one came twice; remember which numbers are "
                  "acknowledged."),
    Misconception("2/answer-to-a-former-life", "An answer to a former life was taken for one to this life; the numbers "
                  "are equal, the incarnations are not."),
    Misconception("2/another-number-again", "A push was sent again under another number, or with other content; to the "
                  "server that is a push of its own."),
    Misconception("2/not-the-push-agreed", 'A letter is not what the server understands: kind "push", meta {"n": '
                  'incarnation, "q": number}, tensors keys and vals.'),
    Misconception("2/sent-again-early", "A letter was sent again before retry_s had passed; an answer needs its time."),
    Misconception("2/all-sent-again", "Letters were sent again that had been acknowledged; only what has no answer is "
                  "worth a copy."),
    Misconception("2/gone-too-early", "The function returned before the last answer had come; until then nobody knows "
                  "that the push is safe."),
    Misconception("2/window-overrun", "More than `window` pushes were without an answer; the server remembers no more "
                  "than that."),
    Misconception("2/window-not-used", "Fewer than `window` pushes were under way; waiting for each answer costs a "
                  "round trip a push."),
    Misconception("2/waits-for-ever", "The worker waits for a letter that never comes; poll with a time, for the next "
                  "thing to happen may be that nothing comes."),
)
