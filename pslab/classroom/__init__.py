"""What a class needs: a rehearsal, a page that says when what is shown, a handout, a vote, an exit question.

    docs/class/11_09.md ──names cells of──> chapters/11_09_….ipynb
           │
           ├── pslab doctor --class 11.9 [--stage]    runs them once on this machine, prints seconds
           ├── pslab class handout 11.9 --out FILE    one A4 page
           └── pslab class question 11.9 --seed 3     a number to work out, other for every seed

    from pslab.classroom import Poll                  a vote before the run, in a notebook

    chapter.py     the chapter's code cells, and which of them the page shows
    rehearse.py    run them in a fresh kernel, with times and sizes
    handout.py     the page to print
    questions.py   exit questions
    poll.py        votes
    command.py     the command line's side
"""

from .chapter import Chapter, open_chapter, read_page
from .command import (
    add_handout_arguments,
    add_question_arguments,
    main_handout,
    main_question,
    main_rehearse,
)
from .handout import has_handout, write_handout
from .poll import Poll
from .questions import Question, exit_question

__all__ = ["Chapter", "Poll", "Question", "add_handout_arguments", "add_question_arguments", "exit_question",
           "has_handout", "main_handout", "main_question", "main_rehearse", "open_chapter", "read_page",
           "write_handout"]
