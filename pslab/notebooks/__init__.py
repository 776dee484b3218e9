"""Notebooks written as text, built into .ipynb files with their outputs, and held together by a check.

    chapters/src/NAME.py  --build: parse, execute, tidy-->  chapters/NAME.ipynb
           (edited by people)                                (opened by people, committed with outputs)
                                  <--check: same cells, outputs there, nothing private in them--
    solutions/src/NAME.py  --build-->  solutions/NAME.ipynb  and, without the answers, labs/NAME.ipynb

On the command line: `python -m pslab.notebooks build` and `python -m pslab.notebooks check`.
Needs the `notebooks` extra; this file imports nothing, so that the command can say so where it is missing.

    text.py     which notebooks there are, and what their texts say
    build.py    execute a text, tidy and store the notebook
    labs.py     a lab's text: the solution, and the student's version made of it
    check.py    the rules a stored notebook must keep
    leaks.py    nothing of a solution is in the labs
    shape.py    the five parts that every chapter has; template.py is a small chapter of that shape
"""
