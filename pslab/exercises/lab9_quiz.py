"""9.7: the four systems of exercise 11.9.2 as questions; every option has a sentence that says what it would lead to.

The text of the questions stands in the notebook, made by `markdown()`; a test holds the two together.
"""

from __future__ import annotations

from functools import partial

from pslab.grade import Exercise

from . import quiz

Question = partial(quiz.Question, "9")

QUESTIONS = (
    Question("a", "the dense transformer", "Seven billion parameters, trained with Adam on 64 equal GPUs of 80 GB in "
             "one room. Every step uses every gradient.", (
        ("A parameter server on 8 machines of their own",
         "Each server's port would carry 64/8 = 8 times the gradient each way, a port of the ring not quite twice."),
        ("All-reduce as reduce-scatter and all-gather, each GPU keeping one piece of the optimizer's state",
         "Right: the gradient is dense and the workers are equal; parameters and state of 12 bytes each do not fit "
         "into 80 GB whole, and cutting the state into pieces costs no bytes on the wire."),
        ("A sparse all-gather of the gradients",
         "Nothing here is sparse: 63 whole gradients would come in through every port."),
        ("An asynchronous server, because nobody has to wait",
         "Equal machines in one room leave little to wait for; asynchrony would pay with stale gradients for "
         "nothing."),
    ), 2),
    Question("b", "the click model", "A 4 TB table of users and ads, of which a batch names a few thousand rows, and a "
             "dense head of 20 million parameters; 32 workers of 80 GB.", (
        ("All-reduce for everything, as the workers are equal",
         "No worker can hold the table that it would have to keep a copy of, so this cannot even start."),
        ("Everything on servers, as they are there anyway",
         "The table is right there; the head would go 32 times up and 32 times down through the servers' ports, which "
         "a ring does with less than two of its sizes per port."),
        ("The table on servers, the head all-reduced",
         "Right: capacity settles the table, the dense gradient settles the head, and both run in the same step."),
        ("A sparse all-gather for the table, all-reduce for the head",
         "Few bytes, but the all-gather works on replicas: every worker would need 4 TB."),
    ), 3),
    Question("c", "the learner and its actors", "One learner updates a policy; 2,000 actors play with the newest "
             "policy they can get and send back what happened, each at its own pace.", (
        ("All-reduce over all 2,001 processes",
         "Only one process has a gradient; a collective would make every actor wait for the slowest game."),
        ("The learner owns the weights, actors pull them when they need them",
         "Right: it is a parameter server in all but name, one owner and many readers that never wait for each other."),
        ("A broadcast of every new policy to all actors, who wait for it",
         "Then the slowest actor sets the pace of all, and most policies are replaced before they are used."),
        ("No weights need to travel, as actors have no gradients",
         "Actors act by the policy; without pulling it they would play with the first one for ever."),
    ), 2),
    Question("d", "the spot machines", "200 million dense parameters on cheap machines that join and leave every few "
             "minutes; a few rounds of staleness do no harm.", (
        ("A ring over whoever was there at the start",
         "A ring has no call without one of its members: the first machine that leaves stops all the others."),
        ("A ring that is built anew from the last checkpoint whenever someone comes or goes",
         "It works where changes are rare; at one every few minutes much of the time goes into starting again."),
        ("A sparse all-gather, which needs no fixed neighbours",
         "It is a collective like the others, every member in every call, and nothing here is sparse."),
        ("Servers on machines that stay, workers that come and go",
         "Right: a server talks with whoever is there, and a worker that leaves takes nothing along but its batch."),
    ), 4),
)


def markdown() -> str:
    """The questions as the notebook shows them."""
    return quiz.markdown(QUESTIONS)


QUIZ = Exercise(
    id="9.7", lab="9", title="Four systems", names=("choices",), kind="quiz",
    signature="def choices() -> dict[str, int]",
    points=4, minutes=5, difficulty=1, core=True, prerequisites=("9.2",), chapter_number="11.9.2",
    goal="For each of four systems the option you would build. Choose a wrong one on purpose to read what it leads to.",
    example='choices() -> {"a": 1, "b": 1, "c": 1, "d": 1}',
    hints=(
        "Ask the four questions of 9.2 for each system, in their order: capacity, who comes and goes, who is slow, "
        "bytes.",
        "Two of the four are settled by rhythm, one by capacity for one half of the model, one by bytes alone.",
    ),
    misconceptions=quiz.misconceptions(QUESTIONS),
    criteria=quiz.criteria(QUESTIONS),
)
