"""Sphinx settings of the course's site. `make site` runs it over the sources that site_stage.py lays out."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parent))

import pslab

project = "pslab"
author = "the pslab contributors"
project_copyright = "code Apache-2.0, text and figures CC BY 4.0"
release = version = pslab.__version__
language = "en"

extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.autosummary", "site_docstrings", "site_mathml"]
exclude_patterns = ["notebooks"]

nb_execution_mode = "off"  # what is shown is what is stored
nb_merge_streams = True
nb_render_markdown_format = "myst"  # formulas in sentences that a cell computed
myst_enable_extensions = ["dollarmath", "deflist", "html_image", "attrs_inline"]
myst_heading_anchors = 4
myst_dmath_double_inline = True

autosummary_generate = False
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
autodoc_class_signature = "mixed"
maximum_signature_line_length = 90
python_use_unqualified_type_names = True
add_module_names = False

nitpicky = True
# Types in signatures name torch, NumPy and typing, whose pages are elsewhere and are not loaded from there.
nitpick_ignore_regex = [("py:.*", ".*")]

html_theme = "furo"
html_title = "pslab"
html_static_path = [str(Path(__file__).resolve().parent / "_static")]
html_favicon = str(Path(__file__).resolve().parent / "_static" / "favicon.svg")
html_css_files = ["pslab.css"]
html_math_renderer = "mathml"
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_permalinks_icon = "#"
html_theme_options = {"navigation_with_keys": False}
templates_path = []
