"""Formulas as MathML, which every current browser draws by itself: no script, no fonts, nothing from the network.

Sphinx's own ways need MathJax from a server or a LaTeX installation; docutils converts LaTeX to MathML in Python.
"""

from __future__ import annotations

from docutils import nodes
from docutils.utils.math import MathError, latex2mathml
from sphinx.application import Sphinx
from sphinx.util import logging

log = logging.getLogger(__name__)


def mathml(latex: str, display: bool = False) -> str:
    """`latex` as a <math> element; the LaTeX itself is its alternative text. Raises ValueError for what is unknown."""
    try:
        tree = latex2mathml.tex2mathml(latex, as_block=display)
    except MathError as error:
        raise ValueError(f"the formula {latex!r} is not understood: {error}") from None
    return tree.replace("<math ", f'<math alttext="{_attribute(latex)}" ', 1)


def setup(app: Sphinx) -> dict:
    app.add_html_math_renderer("mathml", (_inline, None), (_block, None))
    return {"parallel_read_safe": True, "parallel_write_safe": True}


def _inline(translator, node: nodes.math) -> None:
    translator.body.append(_drawn(node, display=False))
    raise nodes.SkipNode


def _block(translator, node: nodes.math_block) -> None:
    translator.body.append(f'<div class="formula">{_drawn(node, display=True)}</div>')
    raise nodes.SkipNode


def _drawn(node, display: bool) -> str:
    try:
        return mathml(node.astext(), display)
    except ValueError as error:
        log.warning("%s", error, location=node)
        return f"<code>{_attribute(node.astext())}</code>"


def _attribute(text: str) -> str:
    return text.replace("&", "&amp;").replace('"', "&quot;").replace("<", "&lt;").replace(">", "&gt;")
