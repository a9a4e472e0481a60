"""How near each protocol comes to its source's own code: the table of docs/protocols.md.

    PYTHONPATH=workflow_scripts:tests python -m conformance.table

writes table.json, which `python docs/describe_protocols.py` puts into the page.
"""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conformance.cases import CASES, KNOWN
from conformance.compare import answers, compared, differences, protocols

if TYPE_CHECKING:
    from scopedepth.vocabulary import specs

PATH = Path(__file__).parent / "table.json"

# What agreement means: relative to the source's number.
AGREES = 1e-6

# Differences are told by the power of ten that they stay below; what is below this one depends on the processor.
SMALLEST = -11


def row(spec: specs.Protocol) -> dict[str, Any]:
    """Return one protocol's row: source, cases, numbers compared, largest difference, and what differs by how much."""
    source = answers(spec["name"])
    found = list(differences(spec, source, CASES[spec["name"]]))
    return {
        "source": source["repository"] + (f"@{source['commit']}" if source["commit"] else ""),
        "file": source["file"],
        "functions": source["functions"],
        "how": source["how"],
        "precision": source["precision"],
        "cases": len(CASES[spec["name"]]),
        "numbers": len(found),
        "below": below(max(difference.relative for difference in found)),
        "known": {
            what: size(max(difference.relative for difference in differences(spec, source, cases)))
            for what, cases in KNOWN.get(spec["name"], {}).items()
        },
    }


def below(difference: float) -> str:
    """Return the power of ten that a difference stays below."""
    power = SMALLEST if difference == 0 else max(math.floor(math.log10(difference)) + 1, SMALLEST)
    return f"1e{power:d}"


def size(difference: float) -> str:
    return "no number here" if math.isinf(difference) else f"{100 * difference:.2g} %"


def table() -> dict[str, Any]:
    return {name: row(spec) for name, spec in protocols().items() if compared(name)}


if __name__ == "__main__":
    PATH.write_text(json.dumps(table(), indent=1, ensure_ascii=False) + "\n", encoding="utf-8")
    print(f"wrote {PATH}")
