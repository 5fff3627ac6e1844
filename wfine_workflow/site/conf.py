"""How Sphinx makes the site. ``wfine site`` calls it with gathered sources."""

from __future__ import annotations

from typing import Any

from wfine_workflow.pages import mathml

project = "wfine"
author = "The wfine authors"
html_title = "wfine"
language = "en"

extensions = ["myst_nb", "sphinx_copybutton", "sphinx.ext.githubpages"]
nb_execution_mode = "off"
nb_merge_streams = True
nb_render_markdown_format = "gfm"
myst_enable_extensions = ["dollarmath", "amsmath"]
myst_heading_anchors = 4

html_theme = "furo"
html_theme_options = {
    "light_css_variables": {"color-brand-primary": "#0072b2", "color-brand-content": "#0072b2"},
    "dark_css_variables": {"color-brand-primary": "#56b4e9", "color-brand-content": "#56b4e9"},
}
html_static_path = ["static"]
html_css_files = ["wfine.css"]
html_copy_source = False
html_show_sourcelink = False
html_show_sphinx = False
html_show_copyright = False
html_use_index = False
copybutton_selector = "div:not(.output) > div.highlight pre"  # what can be run, not its outputs
html_math_renderer = "mathml"


def _inline(translator: Any, node: Any) -> None:
    translator.body.append(mathml(node.astext(), "inline"))
    node.clear()  # else the source would follow


def _block(translator: Any, node: Any) -> None:
    translator.body.append(f'<div class="math">{mathml(node.astext(), "block")}</div>')
    node.clear()


def _done(translator: Any, node: Any) -> None:
    """Nothing is left to be closed."""


def setup(app: Any) -> dict[str, bool]:
    """Formulas as MathML, which browsers draw by themselves: no script, no fonts from elsewhere."""
    app.add_html_math_renderer("mathml", (_inline, _done), (_block, _done))
    return {"parallel_read_safe": True, "parallel_write_safe": True}
