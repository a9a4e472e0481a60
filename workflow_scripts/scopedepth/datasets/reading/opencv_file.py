"""Matrices and words by name: OpenCV's YAML and XML, ROS's YAML, and JSON, read in Python.

OpenCV's reader ends the whole process on some typing errors (a ``$`` in a row of numbers), so a stranger's file is not
given to it. A matrix is a mapping with rows, cols and data, or in JSON rows of numbers too; a word is a number, a
text or a list by its name. Everything else in a file is passed over.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import numpy as np
import yaml
from numpy.typing import NDArray

from scopedepth.errors import ScopeDepthError

MATRIX = "opencv-matrix"
# No calibration is longer; beyond this a file is something else.
MOST_BYTES = 1 << 20
# Text that a file of matrices holds: OpenCV's mark, or ROS's plain rows and cols.
MARKS = re.compile(rf"{MATRIX}|^\s*rows\s*:", re.MULTILINE)


@dataclass(frozen=True)
class Named:
    """What a file names: matrices, float64 (rows, cols), and words. Both empty where it holds something else."""

    matrices: dict[str, NDArray[np.float64]] = field(default_factory=dict)
    words: dict[str, Any] = field(default_factory=dict)


class _Loader(yaml.SafeLoader):
    """Safe YAML that takes OpenCV's matrices for mappings."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(f"tag:yaml.org,2002:{MATRIX}", _mapping)


def read_named(path: Path) -> Named:
    """Return every matrix and word in a file by its name; none where the file holds something else.

    A file of matrices that is damaged is a `ScopeDepthError` that names it.
    """
    try:
        with path.open("rb") as file:
            text = file.read(MOST_BYTES + 1).decode("utf-8-sig", errors="replace")
    except OSError as error:
        raise ScopeDepthError(f"The calibration {path} cannot be read ({error.strerror}).") from error
    start = text.lstrip()[:1]
    is_json = start == "{"
    if len(text) > MOST_BYTES or not (is_json or MARKS.search(text)):
        return Named()
    try:
        if is_json:
            return _sorted(json.loads(text).items(), plain=True)
        return _sorted(_xml(text) if start == "<" else _yaml(text), plain=False)
    except (
        yaml.YAMLError,
        ElementTree.ParseError,
        ValueError,
        TypeError,
        LookupError,
        OverflowError,
        RecursionError,
    ) as error:
        raise ScopeDepthError(f"The calibration {path} is damaged ({error}). Correct it.") from error


def read_matrices(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return every matrix in a file by its name, as `read_named` does."""
    return read_named(path).matrices


def _sorted(entries: Any, plain: bool) -> Named:
    """Return what is a matrix and what is a word of a file's entries; `plain`: rows of numbers are a matrix."""
    found = Named()
    for name, entry in entries:
        if isinstance(entry, Mapping):
            if {"rows", "cols", "data"} <= entry.keys():
                found.matrices[str(name)] = _matrix(entry)
        elif plain and _is_numbers(entry):
            found.matrices[str(name)] = np.atleast_2d(np.array(entry, np.float64))
        else:
            found.words[str(name)] = entry
    return found


def _is_numbers(entry: Any) -> bool:
    """Return whether an entry is a list of numbers, or rows of one length of them."""
    if not isinstance(entry, list) or not entry:
        return False
    rows = entry if isinstance(entry[0], list) else [entry]
    return len({len(row) for row in rows if isinstance(row, list)}) == 1 and all(
        isinstance(row, list)
        and row
        and all(isinstance(one, int | float) and not isinstance(one, bool) for one in row)
        for row in rows
    )


def _yaml(text: str) -> Iterator[tuple[str, Any]]:
    # OpenCV writes %YAML:1.0, which is no YAML.
    content = yaml.load(re.sub(r"\A\s*%YAML[^\n]*\n", "", text), Loader=_Loader)
    yield from content.items() if isinstance(content, dict) else ()


def _xml(text: str) -> Iterator[tuple[str, Any]]:
    if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise ValueError("entities are not read")
    for element in ElementTree.fromstring(text):
        if element.get("type_id") == MATRIX:
            words = {child.tag: child.text or "" for child in element}
            yield element.tag, {**words, "data": words["data"].split()}
        elif element.text and element.text.strip():
            yield element.tag, element.text.strip()


def _matrix(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    rows, columns = int(entry["rows"]), int(entry["cols"])
    numbers = np.array([float(number) for number in _flat(entry["data"])], np.float64)
    if min(rows, columns) < 1 or numbers.size != rows * columns:
        raise ValueError(f"{numbers.size} numbers for {rows} rows of {columns}")
    return numbers.reshape(rows, columns)


def _flat(data: Any) -> Iterator[Any]:
    """Yield the numbers of a matrix whose data may be written in rows."""
    for one in data:
        if isinstance(one, list):
            yield from one
        else:
            yield one
