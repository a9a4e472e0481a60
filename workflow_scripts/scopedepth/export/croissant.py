"""The tables of a study for machines that look for data: Croissant 1.1 metadata, one record set a table.

Format: https://docs.mlcommons.org/croissant/docs/croissant-spec-1.1.html. Types and descriptions of fields are those
that the tables carry; units are schema.org's `unitText`, for Croissant has no word for them. Paths are the crate's.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from scopedepth.job.manifest import digest_file
from scopedepth.vocabulary.metrics import METRICS

CROISSANT = "croissant.json"
CONFORMS_TO = "http://mlcommons.org/croissant/1.1"
# The context that the specification prints.
_CR = [
    "arrayShape", "citeAs", "column", "containedIn", "equivalentProperty", "extract", "field", "fileProperty",
    "fileObject", "fileSet", "format", "includes", "isArray", "isLiveDataset", "jsonPath", "key", "md5", "parentField",
    "path", "recordSet", "references", "regex", "repeated", "replace", "samplingRate", "separator", "source",
    "subField", "transform",
]  # fmt: skip
CONTEXT: dict[str, Any] = {
    "@language": "en",
    "@vocab": "https://schema.org/",
    **{name: f"cr:{name}" for name in _CR},
    "conformsTo": "dct:conformsTo",
    "cr": "http://mlcommons.org/croissant/",
    "data": {"@id": "cr:data", "@type": "@json"},
    "dataType": {"@id": "cr:dataType", "@type": "@vocab"},
    "dct": "http://purl.org/dc/terms/",
    "description": {"@container": "@language"},
    "examples": {"@id": "cr:examples", "@type": "@json"},
    "name": {"@container": "@language"},
    "rai": "http://mlcommons.org/croissant/RAI/",
    "sc": "https://schema.org/",
}
# Units by the ends and the beginnings of columns' names; a metric says its own.
ENDS = {"_ms": "ms", "_mib": "MiB", "_joule": "J", "_fps": "1/s", "_per_second": "1/s"}
BEGINNINGS = {"forward_": "ms", "end_to_end_": "ms", "least_depth": "mm", "greatest_depth": "mm"}


def croissant(
    name: str,
    title: str,
    description: str,
    published: str,
    version: str,
    licence: str,
    tables: Mapping[str, Path],
    authors: Sequence[str] = (),
    url: str | None = None,
) -> bytes:
    """Return croissant.json of a study's tables, by name; `published`: a date or time in ISO 8601.

    What is not given (authors, an address) is left out.
    """
    content: dict[str, Any] = {
        "@context": CONTEXT,
        "@type": "sc:Dataset",
        "conformsTo": CONFORMS_TO,
        "name": name,
        "alternateName": title,
        "description": description,
        "datePublished": published[:10],
        "version": version,
        "license": licence,
        **({"url": url} if url else {}),
        **({"creator": [{"@type": "sc:Person", "name": author} for author in authors]} if authors else {}),
        "distribution": [_file(table, path) for table, path in tables.items()],
        "recordSet": [_records(table, path) for table, path in tables.items()],
    }
    return (json.dumps(content, indent=1, ensure_ascii=False) + "\n").encode()


def _file(table: str, path: Path) -> dict[str, Any]:
    return {
        "@type": "cr:FileObject",
        "@id": f"{table}.parquet",
        "name": f"{table}.parquet",
        "contentUrl": path.as_posix(),
        "contentSize": f"{path.stat().st_size} B",
        "encodingFormat": "application/x-parquet",
        "sha256": digest_file(path).removeprefix("sha256:"),
    }


def _records(table: str, path: Path) -> dict[str, Any]:
    import pyarrow.parquet as pq

    schema = pq.read_schema(path)
    return {
        "@type": "cr:RecordSet",
        "@id": table,
        "name": table,
        "description": _described(schema.metadata),
        "field": [_field(table, field) for field in schema],
    }


def _field(table: str, field: Any) -> dict[str, Any]:
    import pyarrow as pa

    kind = field.type
    is_list = pa.types.is_list(kind)
    unit = unit_of(field.name)
    return {
        "@type": "cr:Field",
        "@id": f"{table}/{field.name}",
        "name": field.name,
        "description": _described(field.metadata),
        "dataType": _type(kind.value_type if is_list else kind),
        # Of one dimension, each row of its own length.
        **({"isArray": True, "arrayShape": "-1"} if is_list else {}),
        **({"unitText": unit} if unit else {}),
        "source": {"fileObject": {"@id": f"{table}.parquet"}, "extract": {"column": field.name}},
    }


def _described(metadata: Mapping[bytes, bytes] | None) -> str:
    return (metadata or {}).get(b"description", b"").decode()


def _type(kind: Any) -> str:
    import pyarrow as pa

    if pa.types.is_boolean(kind):
        return "sc:Boolean"
    if pa.types.is_integer(kind):
        return "sc:Integer"
    return "sc:Float" if pa.types.is_floating(kind) else "sc:Text"


def unit_of(column: str) -> str | None:
    """Return the unit of a column's numbers; None for pure numbers, words and what is stated beside it."""
    if column in METRICS:
        return None if METRICS[column].unit == "1" else METRICS[column].unit
    if "early_stopping" not in column:
        for end, unit in ENDS.items():
            if column.endswith(end):
                return unit
    return next((unit for beginning, unit in BEGINNINGS.items() if column.startswith(beginning)), None)
