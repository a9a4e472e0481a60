"""Reading and writing Parquet tables: schemas with a description for every column, the same bytes each time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from scopedepth.errors import ScopeDepthError

# Keys repeat on every row: a dictionary-encoded string.
KEY = pa.dictionary(pa.int32(), pa.string())
# Columns that say what a row is about: a gap in one is damage.
KEYS = ("dataset", "sequence", "frame", "model", "protocol", "status")


def column(name: str, kind: pa.DataType, description: str) -> pa.Field:
    """Return a schema's column with its description in the metadata."""
    return pa.field(name, kind, metadata={"description": description})


def write_table(path: Path, schema: pa.Schema, columns: Mapping[str, Any] | Sequence[pa.Table]) -> None:
    """Write `columns` (name to values, or tables to put one after the other) as `schema` to `path`.

    The bytes depend on the content alone. The file appears under its name only when it is whole.
    NaN and infinities are refused for float columns: what could not be computed is None with a status.
    """
    if isinstance(columns, Mapping):
        table = table_from(schema, columns)
    else:
        table = (
            pa.concat_tables([_conform(part, schema) for part in columns])
            if columns
            else schema.empty_table()
        )
        table = table.unify_dictionaries().combine_chunks()
    path.parent.mkdir(parents=True, exist_ok=True)
    beside = path.with_name(path.name + ".partial")
    pq.write_table(
        table, beside, compression="zstd", store_schema=True, row_group_size=1 << 17, write_page_checksum=True
    )
    beside.replace(path)


def table_from(schema: pa.Schema, columns: Mapping[str, Any]) -> pa.Table:
    """Return a table of `schema` from columns of plain values; every column must be there."""
    if set(columns) != set(schema.names):
        missing, extra = set(schema.names) - set(columns), set(columns) - set(schema.names)
        raise ValueError(
            f"columns do not match the schema: missing {sorted(missing)}, unknown {sorted(extra)}"
        )
    arrays = []
    for field in schema:
        values = columns[field.name]
        if isinstance(values, pa.Array):
            array = values.cast(field.type)
        elif pa.types.is_dictionary(field.type):
            array = pa.array(values, pa.string()).dictionary_encode().cast(field.type)
        else:
            array = pa.array(values, field.type, from_pandas=pa.types.is_floating(field.type))
        arrays.append(array)
    return pa.Table.from_arrays(arrays, schema=schema)


def _conform(table: pa.Table, schema: pa.Schema) -> pa.Table:
    return table.select(schema.names).cast(schema)


def read_table(
    path: Path,
    columns: Sequence[str] | None = None,
    schema: pa.Schema | None = None,
    where: Mapping[str, str] | None = None,
) -> pa.Table:
    """Return the table at `path`, or some of its columns; with a `schema` as that has them.

    `where`: the rows in which columns have these values, of a table that holds rows of a kind together.

    A file that is missing, empty or damaged, lacks a column that is asked for, or holds one of another type or a key
    that is null, is a `ScopeDepthError` that names it.
    """
    wanted = list(columns) if columns else schema.names if schema else None
    try:
        # One file: pandas-style partition discovery from the path's folders is not wanted.
        with pq.ParquetFile(path, page_checksum_verification=True) as file:
            lacking = [name for name in wanted or () if file.schema_arrow.names.count(name) != 1]
            if lacking:
                raise ValueError(f"not one column {lacking[0]}")
            table = file.read(columns=wanted) if where is None else _rows_where(file, wanted, where)
        if schema is not None:
            table = table.select(wanted).cast(
                pa.schema([schema.field(name) for name in wanted or ()], schema.metadata)
            )
        unnamed = [name for name in KEYS if name in table.column_names and table[name].null_count]
        if unnamed:
            raise ValueError(f"the column {unnamed[0]} has gaps")
    except FileNotFoundError as error:
        raise ScopeDepthError(f"The table {path} is missing. Run the workflow again.") from error
    except (pa.ArrowException, OSError, ValueError) as error:
        raise ScopeDepthError(
            f"The table {path} is damaged ({error}). Delete it and run the workflow again."
        ) from error
    return table


def _rows_where(file: pq.ParquetFile, columns: Sequence[str] | None, where: Mapping[str, str]) -> pa.Table:
    """Return rows of a table; groups of rows whose ends say that they hold none of them are not read."""
    import pyarrow.compute as pc  # which fits and scores start without

    groups = [
        number
        for number in range(file.num_row_groups)
        if all(_may_hold(file, number, name, value) for name, value in where.items())
    ]
    wanted = [*columns, *(where.keys() - set(columns))] if columns else None
    table = file.read_row_groups(groups, columns=wanted)
    for name, value in where.items():
        table = table.filter(pc.equal(table[name].cast(pa.string()), value))
    return table.select(columns) if columns else table


def _may_hold(file: pq.ParquetFile, group: int, name: str, value: str) -> bool:
    place = file.schema_arrow.get_field_index(name)
    ends = file.metadata.row_group(group).column(place).statistics
    return ends is None or not ends.has_min_max or ends.min <= value <= ends.max
