"""Configuration of Sphinx: `make docs` builds the pages offline, with warnings as errors."""

import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path[:0] = [str(ROOT), str(ROOT / "tools"), str(ROOT / "docs" / "_ext")]

from camerapipe.version import __version__  # noqa: E402

project = "camerapipe"
author = "the authors of camerapipe"
copyright = author
version = release = __version__

extensions = [
    "sphinx.ext.autodoc",
    "numpydoc",
    "myst_parser",
    "mathml",  # formulas without scripts or fonts from elsewhere
    "generated",  # tables and help texts that follow from the code
    "notebook",  # cells of a notebook
]
myst_enable_extensions = ["dollarmath"]
myst_heading_anchors = 3
html_math_renderer = "mathml"
exclude_patterns = ["_ext"]

autodoc_member_order = "bysource"
autodoc_typehints = "none"  # types are in the sections of the docstrings
autodoc_preserve_defaults = True
numpydoc_show_class_members = False
numpydoc_class_members_toctree = False
highlight_language = "none"
default_role = "code"  # of single backticks in docstrings

html_theme = "pydata_sphinx_theme"
html_title = "camerapipe"
html_static_path = ["_static"]
html_css_files = ["pages.css"]
html_show_sourcelink = False
html_copy_source = False
html_sidebars = {name: [] for name in ("index", "start", "gallery", "comparison", "architecture")}
html_theme_options = {
    "navigation_with_keys": False,
    "show_prev_next": True,
    "footer_start": [],
    "footer_end": [],
}
