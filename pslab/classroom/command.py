"""What `pslab doctor --class CHAPTER` and `pslab class …` do with their options."""

from __future__ import annotations

import json
from pathlib import Path

from .chapter import open_chapter
from .handout import write_handout
from .questions import exit_question


def main_rehearse(number: str, *, stage: bool = False, json_file: str | None = None,
                  record: str | None = None) -> int:
    """Rehearse a chapter and say how it went; exit code 0 when every demonstration ran within its limit."""
    try:
        from . import rehearse as rehearsal

        chapter = open_chapter(number)
        print(f"Rehearsal of {chapter.title}: {len(chapter.live)} demonstrations"
              + (", in the style for a stage" if stage else ""), flush=True)
        done = rehearsal.rehearse(chapter, stage=stage, record=Path(record) if record else None,
                                  told=lambda shown: print(rehearsal.told_line(shown), flush=True))
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] == "pslab":
            raise
        raise ValueError(f"a rehearsal needs the package {error.name!r}: pip install -e '.[notebooks]'") from None
    print(rehearsal.summary(done, chapter))
    if json_file:
        Path(json_file).write_text(json.dumps(rehearsal.as_json(done), indent=2) + "\n", encoding="utf-8")
    return 0 if done.fine else 1


def add_handout_arguments(parser) -> None:
    """The options of `pslab class handout`."""
    parser.add_argument("chapter", help="the chapter, for example 11.9")
    parser.add_argument("--out", metavar="FILE", required=True,
                        help="where to write it: a name that ends in .pdf or .png")
    parser.add_argument("--seed", type=int, default=0, help="of the exit question on it (0)")
    parser.add_argument("--answers", action="store_true", help="with what students write filled in, for yourself")


def main_handout(options) -> int:
    """Write the one-page handout of a chapter."""
    path = write_handout(options.chapter, options.out, seed=options.seed, answers=options.answers)
    print(f"one A4 page: {path}")
    return 0


def add_question_arguments(parser) -> None:
    """The options of `pslab class question`."""
    parser.add_argument("chapter", help="the chapter, for example 11.9")
    parser.add_argument("--seed", type=int, default=0, help="which question (0); print the seed on the slide")
    parser.add_argument("--answer", action="store_true", help="also the answer, and the wrong ones to expect")


def main_question(options) -> int:
    """Print the exit question of a chapter."""
    question = exit_question(options.chapter, options.seed)
    print(f"[{question.chapter}, seed {question.seed}] {question.text}")
    if options.answer:
        print(f"\n  {question.answer:.2f} {question.unit}")
        for number, thought in question.wrong:
            print(f"  {number:.2f} comes from: {thought}")
    return 0
