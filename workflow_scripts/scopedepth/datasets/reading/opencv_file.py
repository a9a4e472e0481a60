"""Matrices in OpenCV's own YAML and XML files, read in Python.

OpenCV's reader ends the whole process on some typing errors (a ``$`` in a row of numbers), so a stranger's file is not
given to it. Only matrices are read; everything else in a file is passed over.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
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


class _Loader(yaml.SafeLoader):
    """Safe YAML that takes OpenCV's matrices for mappings."""


def _mapping(loader: yaml.SafeLoader, node: yaml.MappingNode) -> dict[Any, Any]:
    return loader.construct_mapping(node, deep=True)


_Loader.add_constructor(f"tag:yaml.org,2002:{MATRIX}", _mapping)


def read_matrices(path: Path) -> dict[str, NDArray[np.float64]]:
    """Return every matrix in a file by its name; none where the file holds something else.

    A file with OpenCV's matrices that is damaged is a `ScopeDepthError` that names it.
    """
    try:
        text = path.read_bytes()[: MOST_BYTES + 1].decode("utf-8", errors="replace")
    except OSError as error:
        raise ScopeDepthError(f"The calibration {path} cannot be read ({error.strerror}).") from error
    if MATRIX not in text or len(text) > MOST_BYTES:
        return {}
    try:
        found = _xml(text) if text.lstrip().startswith("<") else _yaml(text)
        return {name: _matrix(entry) for name, entry in found}
    except (
        yaml.YAMLError,
        ElementTree.ParseError,
        ValueError,
        TypeError,
        LookupError,
        RecursionError,
    ) as error:
        raise ScopeDepthError(f"The calibration {path} is damaged ({error}). Correct it.") from error


def _yaml(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    # OpenCV writes %YAML:1.0, which is no YAML.
    content = yaml.load(re.sub(r"\A\ufeff?%YAML[^\n]*\n", "", text), Loader=_Loader)
    for name, entry in content.items() if isinstance(content, dict) else ():
        if isinstance(entry, dict) and {"rows", "cols", "data"} <= entry.keys():
            yield str(name), entry


def _xml(text: str) -> Iterator[tuple[str, Mapping[str, Any]]]:
    if "<!" in re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL):
        raise ValueError("entities are not read")
    for element in ElementTree.fromstring(text):
        if element.get("type_id") == MATRIX:
            words = {child.tag: child.text or "" for child in element}
            yield element.tag, {**words, "data": words["data"].split()}


def _matrix(entry: Mapping[str, Any]) -> NDArray[np.float64]:
    rows, columns = int(entry["rows"]), int(entry["cols"])
    numbers = np.array([float(number) for number in entry["data"]], np.float64)
    if min(rows, columns) < 1 or numbers.size != rows * columns:
        raise ValueError(f"{numbers.size} numbers for {rows} rows of {columns}")
    return numbers.reshape(rows, columns)
