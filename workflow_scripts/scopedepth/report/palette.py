"""The colours of report and frame pages, light and dark: those of text and lines, of models, and of maps in steps."""

from __future__ import annotations

from pathlib import Path


def palette() -> str:
    """Return the style that names the colours, the dark ones where system or choice ask for them."""
    light, dark = (
        (Path(__file__).parent / "colours" / f"{name}.css")
        .read_text(encoding="utf-8")
        .replace("\n", " ")
        .strip()
        for name in ("light", "dark")
    )
    return (
        f":root {{ {light} }}\n"
        f'@media (prefers-color-scheme: dark) {{ :root:not([data-theme="light"]) {{ {dark} }} }}\n'
        f':root[data-theme="dark"] {{ {dark} }}\n'
        ':root[data-theme="light"] { color-scheme: light; }\n'
    )
