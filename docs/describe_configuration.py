"""Writes docs/configuration.md, every field of the configuration, from its schema."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from scopedepth.config.studies import Configuration

HEAD = """\
# Configuration

Every field of `config.yaml` and `study.yaml`, made from the configuration's models by
`python docs/describe_protocols.py`. A field without a default is needed. Unknown fields are refused by name, with the
nearest one that there is. Editors check and complete the file while you write: `schemas/config.schema.json` is named in
its first line. What a loader, a family or an alignment takes as `options` stands in the [list of options](options.md);
entries to copy stand in `config.yaml` and in the pages on [datasets](datasets.md), [models](models.md) and
[protocols](protocols.md).

"""
# Definitions that hold one entry of a section, in the order of the file; others are shown where they are used.
ENTRIES = {
    "StudySpec": "studies.NAME",
    "DatasetSpec": "datasets.NAME",
    "ViewSpec": "datasets.NAME with view_of",
    "ModelSpec": "models.NAME",
    "TunedSpec": "models.NAME with recipe",
    "RecipeSpec": "recipes.NAME",
    "ProtocolSpec": "protocols.NAME",
    "Timing": "timings.NAME",
    "Execution": "execution",
}
LONGEST_DEFAULT = 40
Node = dict[str, Any]


class Schema:
    """The schema's definitions, and the words for them."""

    def __init__(self, schema: Node) -> None:
        self.root = schema
        self.definitions: dict[str, Node] = schema["$defs"]

    def page(self) -> str:
        """Return docs/configuration.md."""
        parts = [HEAD, self.table("At the top", self.root)]
        for name, title in ENTRIES.items():
            if name in self.definitions:
                parts.append(self.table(f"`{title}`", self.definitions[name]))
        return "\n".join(parts).rstrip() + "\n"

    def table(self, title: str, node: Node) -> str:
        """Return the fields of one definition, and of those inside it, as a table under a heading."""
        said = node.get("description", "") if node is not self.root else ""
        lines = [f"## {title}", "", *([said, ""] if said else [])]
        lines += ["| field | what | type | default |", "|---|---|---|---|", *self.rows(node, "")]
        return "\n".join(lines) + "\n"

    def rows(self, node: Node, place: str) -> Iterator[str]:
        for name, field in node["properties"].items():
            path = f"{place}{name}"
            default = "" if name in node.get("required", ()) else _default(field.get("default"))
            kinds = self.kinds(field)
            what = field.get("description", "").replace("|", "\\|")
            yield f"| `{path}` | {what} | {_cell(self.type(field))} | {default} |"
            for inner, many in self.inside(field):
                yield from self.rows(inner, f"{path}{'[]' if many else ''}.")
            for kind, inner in kinds.items():
                for row in self.rows(inner, f"{path}."):
                    if not row.startswith(f"| `{path}.kind`"):
                        yield row.replace("` | ", f"` (kind: {kind}) | ", 1)

    def kinds(self, field: Node) -> dict[str, Node]:
        """Return what a field may be by its `kind`."""
        mapping = field.get("discriminator", {}).get("mapping", {})
        return {kind: self.definitions[ref.rsplit("/", 1)[-1]] for kind, ref in mapping.items()}

    def inside(self, field: Node) -> Iterator[tuple[Node, bool]]:
        """Yield the definition that a field holds, if it holds one that is not an entry of its own; True for lists."""
        for option in [field, *field.get("anyOf", [])]:
            for holder, many in ((option, False), (option.get("items", {}), True)):
                choices: list[Node] = holder.get("anyOf", []) if many else []
                for one in [holder, *choices]:
                    name = one.get("$ref", "").rsplit("/", 1)[-1]
                    if name and name not in ENTRIES:
                        yield self.definitions[name], many

    def type(self, field: Node) -> str:
        """Return a field's type in words."""
        if "const" in field:
            return f"`{field['const']}`"
        if "enum" in field:
            return ", ".join(f"`{value}`" for value in field["enum"])
        if "discriminator" in field:
            return "by `kind`: " + ", ".join(f"`{kind}`" for kind in self.kinds(field))
        if "anyOf" in field or "oneOf" in field:
            choices: list[Node] = field.get("anyOf", []) or field.get("oneOf", [])
            options = [self.type(option) for option in choices]
            return " or ".join(dict.fromkeys(options))
        if "$ref" in field:
            title = ENTRIES.get(field["$ref"].rsplit("/", 1)[-1], "").lower()
            return f"[entry](#{title.replace(' ', '-').replace('.', '')})" if title else "fields below"
        kind = field.get("type", "anything")
        if kind == "array":
            inner = self.type(field.get("items", {}))
            least, most = field.get("minItems"), field.get("maxItems")
            return f"list: {least} of {inner}" if least and least == most else f"list: {inner}"
        if kind == "object":
            values = [*field.get("patternProperties", {}).values(), field.get("additionalProperties")]
            return "by name: " + self.type(values[0]) if isinstance(values[0], dict) else "mapping"
        words = {"string": "text", "boolean": "true or false", "integer": "whole number", "null": "null"}
        bounds = [
            f"{sign} {field[key]:g}"
            for key, sign in (("minimum", "≥"), ("exclusiveMinimum", ">"), ("maximum", "≤"), ("exclusiveMaximum", "<"))
            if key in field
        ]  # fmt: skip
        return " ".join([words.get(str(kind), str(kind)), *bounds])


def _cell(text: str) -> str:
    return text.replace("|", "\\|")


def _default(value: Any) -> str:
    text = json.dumps(value, ensure_ascii=False)
    if isinstance(value, dict) and value:
        return "as below"
    return f"`{text}`" if len(text) <= LONGEST_DEFAULT else "see the schema"


def configuration_page() -> str:
    """Return docs/configuration.md."""
    return Schema(Configuration.model_json_schema()).page()
