"""0A.5: four questions on what a program of ranks may assume; every option says what it would lead to.

The text of the questions stands in the notebook, made by `quiz.markdown`; a test holds the two together.
"""

from __future__ import annotations

from functools import partial

from pslab.grade import Exercise

from . import quiz

_Question = partial(quiz.Question, "0A")

QUESTIONS = (
    _Question("a", "isend has returned", "Rank 0 calls `work = comm.isend(x, 1)`, and the call has returned. What does "
              "rank 0 know?", (
        ("Rank 1 has received x",
         "Rank 1 may not even have asked for it; isend only starts the sending."),
        ("x is on its way, so its memory may be written again",
         "What is written into x now may travel instead of what was meant; the buffer belongs to the message."),
        ("Nothing, except that the sending has been started; x must stay as it is until `work.wait()`",
         "Right: isend buys time to do something else meanwhile, and wait() is where that time ends."),
        ("Rank 1 is waiting in a recv",
         "No rank can see what another one is doing; all it ever knows came in a message."),
    ), 3),
    _Question("b", "one rank has nothing to add", "Eight ranks call `all_reduce` after each batch. In one step rank 5 "
              "has no examples left and leaves the call out.", (
        ("The other seven get the sum of what seven ranks have",
         "A collective does not know who is worth waiting for; all seven wait for chunks that have to pass rank 5."),
        ("Everybody waits; rank 5 has to take part with a tensor of zeros",
         "Right: every rank of the group makes every call, in the same order, whatever it has to add."),
        ("Rank 5 gets the sum in its next call",
         "Its next call would be matched with the others' present one, and all following sums would be of two steps."),
        ("Rank 0 notices and goes on without it",
         "No rank watches over the others; an algorithm of sends and receives stands still where one is missing."),
    ), 2),
    _Question("c", "sixty-four ranks and four bytes", "One number of 4 bytes is summed over 64 ranks by a ring. Each "
              "message costs α = 10 µs, bytes cost next to nothing. How long does it take?", (
        ("About 10 µs: the ring's time does not depend on K",
         "That is nearly true of its bytes; the rounds are 2(K-1), and each one costs α."),
        ("About 640 µs: K messages of 10 µs",
         "That would be once around and one round more; it takes K-1 rounds to add and K-1 to tell."),
        ("About 120 µs: 2 ⌈log2 K⌉ rounds",
         "That is the tree, and the reason to use one for so few bytes."),
        ("About 1,260 µs: 2(K-1) rounds of 10 µs",
         "Right: 126 rounds one after the other, ten times what a tree needs here."),
    ), 4),
    _Question("d", "the gradients' mean", "Four ranks have the gradient of their own batch, and the optimizer wants "
              "the mean of the four. `all_reduce` gives", (
        ("the mean, so nothing is left to do",
         "It gives the sum; steps would be four times as long as meant."),
        ("the sum, so each rank divides by 4, once",
         "Right: once, at one place that everybody knows; in most programs that is after the sum."),
        ("the sum, so each rank divides its gradient by 4 before the call and the result by 4 after it",
         "Either of the two makes it a mean; both make the step four times too short."),
        ("the sum at rank 0, which divides it and sends it on",
         "That is a reduce; after an all-reduce every rank has the sum and can divide it by itself."),
    ), 2),
)


def markdown() -> str:
    """The questions as the notebook shows them."""
    return quiz.markdown(QUESTIONS)


QUIZ = Exercise(
    id="0A.5", lab="0A", title="Four questions", names=("choices",), kind="quiz",
    signature="def choices() -> dict[str, int]",
    points=4, minutes=5, difficulty=1, core=False, prerequisites=("0A.3",),
    goal="For each question the option that is true. Choose a wrong one on purpose to read what it would lead to.",
    example='choices() -> {"a": 1, "b": 1, "c": 1, "d": 1}',
    hints=(
        "A rank knows what it has done itself and what came to it in messages, and nothing else.",
        "For (c) count rounds, for (b) go through the ring of 0A.3 with one rank that does not take part.",
    ),
    misconceptions=quiz.misconceptions(QUESTIONS),
    criteria=quiz.criteria(QUESTIONS),
)
