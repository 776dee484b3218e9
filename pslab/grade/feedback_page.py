"""A student's page: score, words and the picture of their own run for each exercise, in one HTML file.

Everything from the notebook or its student is escaped; the page loads nothing from anywhere.
"""

from __future__ import annotations

import base64
import html

_STYLE = """body { font: 16px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem;
color: #222 }
h1 { font-size: 1.5rem } h2 { font-size: 1.15rem; margin-top: 2rem; border-top: 1px solid #ccc; padding-top: 1rem }
pre { background: #f5f5f5; padding: .8rem; overflow-x: auto; white-space: pre-wrap } img { max-width: 100% }
table { border-collapse: collapse } td, th { padding: .2rem .8rem .2rem 0; text-align: left }
td.n { text-align: right } .problem { background: #fff3cd; padding: .8rem }"""


def page(result: dict, told: dict[str, tuple[str, object]]) -> str:
    """The page of one result. told: {exercise id: (text, picture with a PNG form, or None)}."""
    student, submission = str(result["student"]), result["submission"]
    parts = [f"<h1>{_safe(student)}</h1>", f"<p>{_safe(submission['file'])}, pslab {_safe(result['pslab'])}</p>"]
    if submission["problem"]:
        parts.append(f'<p class="problem">This submission was not graded: {_safe(submission["problem"])}.</p>')
    exercises = result["exercises"]
    if exercises:
        rows = "".join(f'<tr><td><a href="#e{_safe(e["id"])}">{_safe(e["id"])}</a></td><td class="n">{e["score"]}</td>'
                       f'<td>of {e["points"]}</td></tr>' for e in exercises)
        total = f'<tr><th>sum</th><td class="n">{score(result)}</td><td>of {points(result)}</td></tr>'
        parts.append(f"<table>{rows}{total}</table>")
    parts += [f"<p>{_safe(note)}</p>" for note in submission["notes"]]
    for exercise in exercises:
        text, picture = told.get(exercise["id"], ("", None))
        parts.append(f'<h2 id="e{_safe(exercise["id"])}">{_safe(exercise["id"])}: {exercise["score"]} of '
                     f'{exercise["points"]} points</h2><pre>{_safe(text)}</pre>')
        if picture is not None:
            parts.append(_figure(picture))
    body = "\n".join(parts)
    return (f'<!doctype html>\n<html lang="en"><head><meta charset="utf-8"><title>{_safe(student)}</title>'
            f"<style>{_STYLE}</style></head>\n<body>\n{body}\n</body></html>\n")


def score(result: dict) -> int:
    return sum(exercise["score"] for exercise in result["exercises"])


def points(result: dict) -> int:
    return sum(exercise["points"] for exercise in result["exercises"])


def _figure(picture) -> str:
    data = base64.b64encode(picture.png()).decode()
    return f'<p><img alt="{_safe(picture.text)}" src="data:image/png;base64,{data}"></p>'


def _safe(text) -> str:
    return html.escape(str(text), quote=True)
