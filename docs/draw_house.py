"""Draws the house, docs/images/house.svg: the library's packages, and which of them imports which.

``python docs/draw_house.py`` from the repository writes it and the table in docs/architecture.md; a test compares both.
"""

from __future__ import annotations

import ast
from collections import defaultdict
from collections.abc import Iterator, Mapping
from functools import cache
from pathlib import Path

ROOT = Path(__file__).parents[1]
LIBRARY = ROOT / "workflow_scripts" / "scopedepth"
PAGE = ROOT / "docs" / "architecture.md"
PICTURE = ROOT / "docs" / "images" / "house.svg"
# Of the picture: from room to room, and half of a room.
STEP, HALF = (120, 80), (48, 14)
# What stands at the top of the library serves all rooms and is left out of the picture.
LOBBY = {"scopedepth", "scopedepth.errors", "scopedepth.version", "scopedepth.cli"}
BEGIN, END = "<!-- made by docs/draw_house.py -->", "<!-- end of what was made -->"

Graph = dict[str, set[str]]


@cache
def modules() -> dict[str, Path]:
    """Return the library's modules with their files."""
    found = {}
    for path in sorted(LIBRARY.rglob("*.py")):
        parts = path.relative_to(LIBRARY.parent).with_suffix("").parts
        found[".".join(parts[:-1] if parts[-1] == "__init__" else parts)] = path
    return found


def imported(tree: ast.AST) -> Iterator[str]:
    """Yield what a syntax tree imports, anywhere in it: `a.b` and, for ``from a import b``, `a.b` too."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield from (f"{node.module}.{name.name}" for name in node.names)


@cache
def files_graph() -> Mapping[str, set[str]]:
    """Return for each module the modules of the library that it imports, also within functions."""
    known = modules()

    def module_of(name: str) -> str | None:
        return (
            name if name in known else name.rpartition(".")[0] if name.rpartition(".")[0] in known else None
        )

    graph: Graph = {}
    for module, path in known.items():
        targets = map(module_of, imported(ast.parse(path.read_text(encoding="utf-8"))))
        graph[module] = {target for target in targets if target and target != module}
    return graph


def rooms_graph(depth: int | None = None) -> Graph:
    """Return which package imports which: each by itself, or merged to names of `depth` parts."""

    def room(module: str) -> str:
        package = module if modules()[module].name == "__init__.py" else module.rpartition(".")[0]
        package = module if package == "scopedepth" else package
        return package if depth is None else ".".join(package.split(".")[:depth])

    graph: Graph = defaultdict(set)
    for module, targets in files_graph().items():
        graph[room(module)] |= {room(target) for target in targets} - {room(module)}
    return dict(graph)


def reachable(graph: Mapping[str, set[str]], start: str) -> set[str]:
    """Return all that is reached from `start` by one step or more; `start` itself where a circle leads back."""
    found: set[str] = set()
    ahead = set(graph.get(start, ()))
    while ahead:
        found |= ahead
        ahead = {target for one in ahead for target in graph.get(one, ())} - found
    return found


def circles(graph: Mapping[str, set[str]]) -> list[str]:
    """Return what lies on a circle of arrows."""
    return sorted(name for name in graph if name in reachable(graph, name))


def shown_graph() -> Graph:
    """Return the graph of the picture, without arrows that others together stand for."""
    graph = {room: targets - LOBBY for room, targets in rooms_graph(2).items() if room not in LOBBY}
    return {
        room: targets - {far for target in targets for far in reachable(graph, target)}
        for room, targets in sorted(graph.items())
    }


def picture() -> str:
    """Return the picture as SVG: a room stands above all that it imports."""
    graph = shown_graph()

    def level(room: str) -> int:
        return max((level(target) + 1 for target in graph[room]), default=0)

    rows: dict[int, list[str]] = defaultdict(list)
    for room in graph:
        rows[level(room)].append(room)
    width, height = max(map(len, rows.values())) * STEP[0], len(rows) * STEP[1]
    place: dict[str, tuple[float, float]] = {}
    for number, row in sorted(rows.items()):  # from the bottom, each room above the middle of what it imports
        row.sort(key=lambda room: sum(place[one][0] for one in graph[room]) / max(1, len(graph[room])))
        for column, room in enumerate(row):
            x = width * (column + 0.5) / len(row)
            place[room] = (round(x), round(height - STEP[1] * (number + 0.5)))
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" font-family="sans-serif" '
        'font-size="13" text-anchor="middle">',
        f'<rect width="{width}" height="{height}" fill="white"/>',
        '<marker id="tip" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="8" markerHeight="8" orient="auto">'
        '<path d="M0 0L8 4L0 8z" fill="#557"/></marker>',
    ]
    for room, targets in graph.items():
        for (x, y), (u, v) in ((place[room], place[target]) for target in sorted(targets)):
            end = f"C{x} {y + 50} {u} {v - 55} {u} {v - HALF[1]}"
            lines.append(
                f'<path d="M{x} {y + HALF[1]}{end}" fill="none" stroke="#557" marker-end="url(#tip)"/>'
            )
    for room, (x, y) in sorted(place.items()):
        corner = f'x="{x - HALF[0]}" y="{y - HALF[1]}" width="{2 * HALF[0]}" height="{2 * HALF[1]}"'
        lines.append(f'<rect {corner} rx="4" fill="#eef" stroke="#557"/>')
        lines.append(f'<text x="{x}" y="{y + 5}">{_short(room)}</text>')
    return "\n".join([*lines, "</svg>", ""])


def table() -> str:
    """Return the rooms as a table, each with the first line that its package says of itself."""
    lines = [BEGIN, "| room | what is in it |", "| --- | --- |"]
    for room in shown_graph():
        said = ast.get_docstring(ast.parse(modules()[room].read_text(encoding="utf-8"))) or ""
        lines.append(f"| `{_short(room)}/` | {said.splitlines()[0]} |")
    return "\n".join([*lines, END])


def _short(room: str) -> str:
    return room.removeprefix("scopedepth.")


def page() -> str:
    """Return the page with the table made anew."""
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    return before + table() + rest.partition(END)[2]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    PICTURE.write_text(picture(), encoding="utf-8")
