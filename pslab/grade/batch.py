"""`pslab grade FILE|FOLDER`: every submission graded, whatever is in it.

    files ──> already done? (--resume: same file, same way of grading) ──> workers, --jobs of them ──> a result each,
    written as it comes ──> JSON, CSV, Gradescope's form, feedback pages, report on the class

Exit code: 0 all were graded, 1 some could not be read, 2 the command line or this machine was wrong.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterator
from concurrent.futures import FIRST_COMPLETED, ProcessPoolExecutor, wait
from concurrent.futures.process import BrokenProcessPool
from importlib import import_module
from multiprocessing import get_context
from pathlib import Path

import pslab

from . import feedback_page, gradescope, notebook_source, results
from .batch_one import Order, grade_one
from .failures import BoxTrouble
from .report import SCHEMA, result
from .seeds import seed_id

SECRET = "PSLAB_COURSE_SECRET"
GRADED, SOME_UNREAD = 0, 1


def add_arguments(parser) -> None:
    parser.add_argument("what", metavar="FILE|FOLDER", help="a notebook, or a folder of them (STUDENT.ipynb or "
                        "STUDENT/anything.ipynb)")
    parser.add_argument("--lab", metavar="LAB", help="grade this lab; without it, each notebook's own")
    parser.add_argument("--exercise", metavar="ID", help="grade this exercise only, such as 9.3")
    parser.add_argument("--seed", metavar="SECRET", help=f"the course's secret, for hidden checks (better: {SECRET} in "
                        "the environment, which other users cannot see)")
    parser.add_argument("--student-from", choices=notebook_source.STUDENT_FROM, default="filename",
                        help="where a student's id stands (filename)")
    parser.add_argument("--out", metavar="DIR", help="results, feedback pages and the class report go there")
    parser.add_argument("--json", metavar="F", help="all results in one file")
    parser.add_argument("--csv", metavar="F", help="one line a student, one column an exercise")
    parser.add_argument("--gradescope", metavar="F", help="Gradescope's results.json; of a folder: a folder of them")
    parser.add_argument("--jobs", type=int, metavar="N", default=None, help="submissions at a time (one a core)")
    parser.add_argument("--limit-s", type=float, metavar="S", default=120.0, help="seconds a submission may take (120)")
    parser.add_argument("--resume", action="store_true", help="leave out what --out already holds, if unchanged")


def run(args) -> int:
    """Grade, write what was asked for, print a line a submission and a summary; the exit code."""
    secret = args.seed if args.seed is not None else os.environ.get(SECRET) or None
    jobs = _checked(args, secret)
    found = notebook_source.find(Path(args.what))
    is_folder = Path(args.what).is_dir()
    if args.gradescope and is_folder and Path(args.gradescope).is_file():
        raise ValueError(f"--gradescope {args.gradescope} is a file; of a folder a folder is written")
    way = _way(args, secret)
    if secret is None:
        print(f"No secret ({SECRET} or --seed): public checks only, hidden ones are left out.", flush=True)
    done: list[dict] = []
    try:
        for data, page, fresh in _graded(_orders(found, args, secret), way, args, jobs):
            done.append(data)
            if fresh and args.out:
                _keep(Path(args.out), data, page)
            print(line(data) + ("" if fresh else "  (as before)"), flush=True)
    except BoxTrouble as error:
        raise ValueError(str(error)) from None
    done.sort(key=lambda data: (str(data["student"]), data["submission"]["file"]))
    _write_all(args, done, is_folder)
    unread = sum(bool(data["submission"]["problem"]) for data in done)
    print(summary(done))
    return SOME_UNREAD if unread else GRADED


def line(data: dict) -> str:
    """What is printed of one submission."""
    if data["submission"]["problem"]:
        return f"{data['student']}: not graded: {data['submission']['problem']}"
    seconds = sum(exercise["seconds"] for exercise in data["exercises"])
    return f"{data['student']}: {feedback_page.score(data)} of {feedback_page.points(data)} points, {seconds:.1f} s"


def summary(done: list[dict]) -> str:
    graded = [data for data in done if not data["submission"]["problem"]]
    lines = [f"{len(graded)} of {len(done)} submissions graded."]
    for _, sentence, students, _ in results.misconceptions(graded)[:3]:
        lines.append(f"  {len(students)} of {len(graded)}: {sentence}")
    return "\n".join(lines)


# ---- grading ---------------------------------------------------------------------------------------------------------


def _orders(found: list[tuple[Path, str]], args, secret: str | None) -> list[Order]:
    """What to grade, in order; a second notebook of one student becomes a problem, one of another lab is left out."""
    lab, hidden = args.lab or (args.exercise and args.exercise.partition(".")[0]), hidden_paths(args)
    orders, first = [], {}
    for path, by_name in found:
        submission = notebook_source.read(path, by_name, args.student_from)
        several = sum(name == by_name for _, name in found) > 1
        other_lab = submission.notebook and submission.notebook.lab
        if several and lab and other_lab and other_lab != lab.upper():
            continue
        problem = ""
        if not submission.problem:
            kept = first.setdefault(submission.student, path.name)
            problem = "" if kept == path.name else f"a second notebook of {submission.student}; {kept} is graded"
        orders.append(Order(path, by_name, args.student_from, args.lab and args.lab.upper(), args.exercise, secret,
                            args.limit_s, hidden, bool(args.out), submission.sha256, submission.student, problem))
    return orders


def _graded(orders: list[Order], way: str, args, jobs: int) -> Iterator[tuple[dict, str, bool]]:
    """(result, page, whether it is fresh) of every submission, as they come."""
    todo = []
    for order in orders:
        place = Path(args.out or ".") / "results" / f"{_name(order.student, order.problem, order.path)}.json"
        kept = results.read_done(place, order.sha256, way) if args.resume else None
        if kept is None:
            todo.append(order)
        else:
            yield kept, "", False
    outcomes = map(_one, todo) if min(jobs, len(todo)) <= 1 else _by_workers(todo, jobs)
    for data, page in outcomes:
        data["submission"]["way"] = way
        yield data, page, True


def _one(order: Order) -> tuple[dict, str]:
    """A result whatever happens: what breaks the grader itself is this submission's problem and no other's."""
    try:
        return grade_one(order)
    except BoxTrouble:
        raise
    except Exception as error:  # noqa: BLE001  one bad file never stops the batch; the words are in its result
        return broken(order, f"the grader failed on it ({type(error).__name__}: {error})")


def broken(order: Order, problem: str) -> tuple[dict, str]:
    data = result([], student=order.by_name, seed=seed_id(order.secret))
    data["submission"] = {"file": order.path.name, "sha256": "", "problem": problem, "notes": []}
    return data, feedback_page.page(data, {}) if order.pages else ""


def _by_workers(orders: list[Order], jobs: int, grade=_one) -> Iterator[tuple[dict, str]]:
    """As `map(grade, orders)`, in `jobs` processes. Where a worker dies, what it may have had is tried again alone."""
    suspects = []
    with ProcessPoolExecutor(min(jobs, len(orders)), get_context("spawn")) as pool:
        waiting = {pool.submit(grade, order): order for order in orders}
        while waiting:
            finished, _ = wait(waiting, return_when=FIRST_COMPLETED)
            for future in finished:
                order = waiting.pop(future)
                try:
                    yield future.result()
                except BrokenProcessPool:
                    suspects.append(order)
    for order in suspects:
        with ProcessPoolExecutor(1, get_context("spawn")) as pool:
            try:
                yield pool.submit(grade, order).result()
            except BrokenProcessPool:
                yield broken(order, "the grader's own process ended while it was graded")


# ---- what is kept ----------------------------------------------------------------------------------------------------


def _keep(out: Path, data: dict, page: str) -> None:
    """The page first: a result that is there stands for a submission that is done."""
    name = _data_name(data)
    results.write(out / "feedback" / f"{name}.html", page)
    results.write(out / "results" / f"{name}.json", results.as_json(data))


def _data_name(data: dict) -> str:
    return _name(str(data["student"]), data["submission"]["problem"], Path(data["submission"]["file"]))


def _name(student: str, problem: str, path: Path) -> str:
    """Of the files about a submission: one that was not graded must not take the place of one that was."""
    return results.file_name(f"{student}--{path.name}" if problem else student)


def _write_all(args, done: list[dict], is_folder: bool) -> None:
    if args.out:
        results.write(Path(args.out) / "class_report.md", results.class_report(done))
    if args.json:
        results.write(Path(args.json), results.as_json(results.all_in_one(done)))
    if args.csv:
        results.write(Path(args.csv), results.as_csv(done))
    if args.gradescope and is_folder:
        for data in done:
            path = Path(args.gradescope) / f"{_data_name(data)}.json"
            results.write(path, results.as_json(gradescope.results_json(data)))
    elif args.gradescope:
        results.write(Path(args.gradescope), results.as_json(gradescope.results_json(done[0])))


# ---- the command line ------------------------------------------------------------------------------------------------


def _checked(args, secret: str | None) -> int:
    """ValueError for options that do not fit; the number of workers."""
    exercises = import_module("pslab.exercises")
    if args.exercise:
        exercises.get(args.exercise)
        if args.lab and args.exercise.partition(".")[0] != args.lab.upper():
            raise ValueError(f"--exercise {args.exercise} is not of --lab {args.lab}")
    if args.lab:
        exercises.lab(args.lab)
    if secret is not None and not secret.strip():
        raise ValueError(f"--seed is empty; hidden checks need the course's secret (or set {SECRET})")
    if args.resume and not args.out:
        raise ValueError("--resume needs --out, where earlier results lie")
    if not args.limit_s > 0:
        raise ValueError(f"--limit-s {args.limit_s:g}; more than 0 seconds are needed")
    if args.jobs is not None and args.jobs < 1:
        raise ValueError(f"--jobs {args.jobs}; 1 or more is needed")
    return args.jobs or (len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else 1)


def hidden_paths(args) -> tuple[str, ...]:
    """What no answer may read: the other submissions, and what is written about them. Not a folder that holds the kit
    or Python, without which nothing runs."""
    from .box_rooms import needed

    paths = [Path(path).resolve() for path in (args.what, args.out, args.json, args.csv, args.gradescope) if path]
    return tuple(str(path) for path in paths if not any(Path(root).is_relative_to(path) for root in needed()))


def _way(args, secret: str | None) -> str:
    """A name for how submissions are graded; --resume regrades where it has changed. It gives nothing away."""
    exercises = import_module("pslab.exercises")
    listed = [(e.id, e.points, [(c.name, c.points, c.hidden) for c in e.criteria])
              for lab in exercises.labs() for e in exercises.lab(lab)]
    text = repr((SCHEMA, pslab.__version__, seed_id(secret), args.lab, args.exercise, args.limit_s, listed))
    return hashlib.blake2b(text.encode(), digest_size=8).hexdigest()
