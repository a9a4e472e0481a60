"""The documentation's build: Markdown pages through Sphinx. ``make docs`` writes site/index.html."""

project = "ScopeDepth"
author = "The ScopeDepth developers"
copyright = "2026, the ScopeDepth developers"  # Sphinx's own name for it
extensions = ["myst_parser"]
myst_enable_extensions = ["dollarmath", "deflist"]
myst_heading_anchors = 3
exclude_patterns = ["images"]
html_theme = "furo"
html_title = "ScopeDepth"
# A page that nothing leads to is a mistake, and so is a broken link between pages.
nitpicky = True
