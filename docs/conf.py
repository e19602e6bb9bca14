"""The site: `make docs` builds it into `docs/_build/html`, without a network."""

import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
sys.path.insert(0, str(ROOT))

from docs import sources  # noqa: E402
from gan import __version__  # noqa: E402

project = "Ganymede"
author = "the contributors to Ganymede"
project_copyright = author
release = version = __version__

extensions = ["sphinx.ext.autodoc", "sphinx.ext.napoleon", "myst_nb"]
exclude_patterns = ["_build", "**.ipynb_checkpoints"]
nitpicky = True
nitpick_ignore_regex = sources.FOREIGN
suppress_warnings = ["ref.python"]  # a name that several modules have

# Docstrings are Google's, with single backticks for code.
default_role = "literal"
highlight_language = "text"
autodoc_default_options = {"members": True, "show-inheritance": True, "member-order": "bysource"}
autodoc_typehints = "signature"
autodoc_preserve_defaults = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
python_use_unqualified_type_names = True

myst_enable_extensions = ["colon_fence", "deflist"]
myst_heading_anchors = 4
nb_execution_mode = "force"
nb_execution_in_temp = True
nb_execution_timeout = 600
nb_merge_streams = True

html_theme = "furo"
html_title = f"Ganymede {release}"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_theme_options = {
    "light_css_variables": {"font-stack": "system-ui, -apple-system, 'Segoe UI', sans-serif"},
}
html_copy_source = False


def setup(app):
    """Write the generated pages, and find what docstrings and pages refer to."""
    app.connect("builder-inited", lambda app: sources.write_pages(Path(app.srcdir)))
    app.connect("source-read", sources.point_inside)
    app.connect("autodoc-process-docstring", sources.escape_formulas)
    app.connect("missing-reference", sources.find_by_last_name)
