"""The documentation's build: Markdown pages through Sphinx. ``make docs`` writes site/index.html.

The site asks nothing of a network: formulas are MathML, made while building, where Sphinx would load MathJax.
"""

from typing import Any

from docutils import nodes
from docutils.utils.math.latex2mathml import tex2mathml

project = "ScopeDepth"
author = "The ScopeDepth developers"
copyright = "2026, the ScopeDepth developers"  # Sphinx's own name for it
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["images"]
html_theme = "furo"
html_title = "ScopeDepth"
html_static_path = ["_static"]
html_css_files = ["site.css"]
html_math_renderer = "mathml"
# A page that nothing leads to is a mistake, and so is a broken link between pages.
nitpicky = True
highlight_language = "none"


def _formula(visitor: Any, node: Any) -> None:
    """Write a formula in the line. A mistake in it ends the build."""
    visitor.body.append(tex2mathml(node.astext()))
    raise nodes.SkipNode


def _displayed_formula(visitor: Any, node: Any) -> None:
    visitor.body.append(f'<div class="math">{tex2mathml(node.astext(), as_block=True)}</div>')
    raise nodes.SkipNode


def setup(app: Any) -> None:
    app.add_html_math_renderer("mathml", (_formula, None), (_displayed_formula, None))
