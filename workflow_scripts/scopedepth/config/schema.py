"""Writes the configuration's JSON schema, for editors and for reading: ``python -m scopedepth.config.schema``."""

from __future__ import annotations

import json
from pathlib import Path

from scopedepth.config.studies import Configuration

PATH = Path(__file__).parents[3] / "schemas" / "config.schema.json"


def schema_text() -> str:
    """Return the schema as the text of its file."""
    schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", **Configuration.model_json_schema()}
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


if __name__ == "__main__":
    PATH.write_text(schema_text(), encoding="utf-8")
    print(f"wrote {PATH}")
