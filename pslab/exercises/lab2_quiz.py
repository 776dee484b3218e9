"""2.7: four questions on what a worker may assume of a server; every option says what it would lead to.

The text of the questions stands in the notebook, made by `quiz.markdown`; a test holds the two together.
"""

from __future__ import annotations

from functools import partial

from pslab.grade import Exercise

from . import quiz

_Question = partial(quiz.Question, "2")

QUESTIONS = (
    _Question("a", "a pull after a push", "Worker 0 has pushed to key 7 and has the acknowledgement. Then worker 1 "
              "pulls key 7. Nothing else happens. What does it get?", (
        ("The row before the push, until worker 0 pulls it as well",
         "A server does not keep a row for each worker; there is one, and it has changed."),
        ("The row before or after the push, as the network likes",
         "That would be so without the acknowledgement; it says that the server has applied the push."),
        ("The row after the push",
         "Right: the acknowledgement came after the step, and the pull was sent after the acknowledgement."),
        ("The gradient that worker 0 pushed",
         "A push brings a gradient; what is pulled is the row, after the update function."),
    ), 3),
    _Question("b", "no answer", "A worker pushes, and after one second no answer has come. What does it know?", (
        ("The push was not applied, so it may be pushed again as a new one",
         "The answer may be what was lost; then the push would count twice."),
        ("Nothing; it sends the same push again, with the same number",
         "Right: whether the letter or the answer was lost, the server can tell, and the number lets it."),
        ("The push was applied, for letters arrive in the end",
         "Letters can be lost; then this push would never count."),
        ("The server is down",
         "It may be slow, or its answer was lost; silence has many reasons and no name."),
    ), 2),
    _Question("c", "the same number", "A server gets number 12 of incarnation 0 from worker 3, and it has recorded a "
              "number 12 before. When is it a copy?", (
        ("Always: a number is used once",
         "Every worker has a number 12, and every life of it; pushes of others would be dropped."),
        ("When that one came from worker 3 and incarnation 0",
         "Right: sender, incarnation and number together are the name of a push."),
        ("When it has the same values",
         "Two pushes may have equal values, and both count."),
        ("When it came from worker 3, whatever the incarnation",
         "A worker that starts again counts from 0; all of its new pushes up to 12 would be lost."),
    ), 2),
    _Question("d", "AdaGrad and three equal keys", "A push to rows that learn by AdaGrad has key 5 three times, with "
              "gradients 1, 1 and 1. n was 0. How does n of key 5 look afterwards?", (
        ("1: equal keys are stored once",
         "That is the last of the three alone; two gradients would be lost."),
        ("3: three squares of 1",
         "Squares of the parts are not the square of the gradient, and the result would depend on how a batch is cut."),
        ("It depends on the order in which the three are applied",
         "They are summed first, and a sum of whole numbers has no order."),
        ("9: the gradient of key 5 is 3, and its square is added",
         "Right: one key, one gradient, one step."),
    ), 4),
)


def markdown() -> str:
    """The questions as the notebook shows them."""
    return quiz.markdown(QUESTIONS)


QUIZ = Exercise(
    id="2.7", lab="2", title="Four questions", names=("choices",), kind="quiz",
    signature="def choices() -> dict[str, int]",
    points=4, minutes=5, difficulty=1, core=False, prerequisites=("2.5",),
    goal="For each question the option that is true. Choose a wrong one on purpose to read what it would lead to.",
    example='choices() -> {"a": 1, "b": 1, "c": 1, "d": 1}',
    hints=(
        "A worker knows what it has done itself and what came to it in letters, and nothing else.",
        "For (b) and (c) think of the run of 2.5; for (d) of the formula of 2.2, in which g comes first.",
    ),
    misconceptions=quiz.misconceptions(QUESTIONS),
    criteria=quiz.criteria(QUESTIONS),
)
