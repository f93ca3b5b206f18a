"""The site: `make docs-site` builds it into build/docs, and fails on any warning."""

from __future__ import annotations

import ganbench

project = "ganbench"
author = "the ganbench authors"
version = release = ganbench.__version__
extensions = [
    "myst_parser",
    "sphinx.ext.autodoc",
    "sphinx_click",
    "sphinx_copybutton",
]
exclude_patterns = ["node_modules"]

myst_heading_anchors = 4
myst_enable_extensions = ["colon_fence"]
suppress_warnings = ["myst.header"]  # pages that others are included in begin below their title

default_role = "code"  # docstrings put names between single backticks
autodoc_default_options = {"members": True, "undoc-members": True, "member-order": "bysource"}
autodoc_class_signature = "separated"
autodoc_typehints_format = "short"
autodoc_preserve_defaults = True
python_use_unqualified_type_names = True
add_module_names = False

html_theme = "furo"
html_title = f"ganbench {version}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_js_files = ["site.js"]
html_show_sourcelink = False
html_copy_source = False
pygments_style = "a11y-high-contrast-light"
pygments_dark_style = "a11y-high-contrast-dark"
copybutton_exclude = ".linenos, .gp, .go, .c1"

linkcheck_anchors = False  # of pages that scripts draw
linkcheck_timeout = 20
linkcheck_workers = 4
