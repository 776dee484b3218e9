"""Quizzes: questions with options, each of which has a sentence that says what it would lead to.

    QUESTIONS = (Question("9", "a", "the click model", "A 4 TB table ...", (("option", "leads to"), ...), 3), ...)
    markdown(QUESTIONS)        the text of the questions, which stands in the notebook; a test holds the two together
    criteria(QUESTIONS)        one a question; the answer is choices() -> {"a": 1, ...}
"""

from __future__ import annotations

from dataclasses import dataclass

from pslab.grade import Criterion, Misconception, Verdict


@dataclass(frozen=True)
class Question:
    """`options[i]` is (text, what it would lead to); `right` counts from 1. `lab` begins the misconceptions' ids."""

    lab: str
    letter: str
    name: str
    text: str
    options: tuple[tuple[str, str], ...]
    right: int

    def misconception(self, option: int) -> str:
        return f"{self.lab}/option-{self.letter}{option}"


def markdown(questions: tuple[Question, ...]) -> str:
    """The questions as the notebook shows them."""
    parts = []
    for q in questions:
        options = "\n".join(f"{i}. {text}" for i, (text, _) in enumerate(q.options, start=1))
        parts.append(f"**({q.letter}) {q.name[0].upper()}{q.name[1:]}.** {q.text}\n\n{options}")
    return "\n\n".join(parts)


def criteria(questions: tuple[Question, ...], name: str = "choices") -> tuple[Criterion, ...]:
    """A point for each question; `name` is the student's function."""
    return tuple(Criterion(q.name, _judge(q, name), 1) for q in questions)


def misconceptions(questions: tuple[Question, ...]) -> tuple[Misconception, ...]:
    """What each wrong option leads to."""
    return tuple(Misconception(q.misconception(i), leads_to) for q in questions
                 for i, (_, leads_to) in enumerate(q.options, start=1) if i != q.right)


def _judge(q: Question, name: str):
    def judge(answers, case) -> Verdict:
        chosen = answers.call(name)
        value = chosen.get(q.letter) if isinstance(chosen, dict) else chosen
        if not isinstance(chosen, dict) or (value is not None and not _is_option(value, q)):
            return Verdict(False, "{'a': 1, ...}, options counted from 1", repr(value), f"({q.letter})",
                           "all/bad-value")
        if value is None:
            return Verdict(False, f"one of 1 to {len(q.options)}", "nothing", f"({q.letter})", "all/unpicked")
        text, leads_to = q.options[value - 1]
        if value != q.right:
            return Verdict(False, "another option", f"{value}. {text}", f"({q.letter}) {q.name}",
                           q.misconception(value))
        return Verdict(True, seen=leads_to)
    return judge


def _is_option(value, q: Question) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and 1 <= value <= len(q.options)
