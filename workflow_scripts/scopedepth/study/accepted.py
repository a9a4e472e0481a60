"""Changes of code that were accepted: results made with the code before are taken for results of the code after.

After an upgrade that changes no number, nobody should lose a month of a GPU's time. `scopedepth accept` writes down
which code was taken for which, when and why, beside the results that it speaks for (`layout.ACCEPTED`):

    [{rule, before, after, why, at}, ...]     before and after are digests
"""

from __future__ import annotations

import hashlib
import json
from functools import cached_property
from pathlib import Path
from typing import Any

from scopedepth.errors import ScopeDepthError
from scopedepth.job.identity import canonical_json
from scopedepth.study.layout import ACCEPTED


class Accepted:
    """What was accepted in one results tree."""

    def __init__(self, results: Path) -> None:
        self.path = results / ACCEPTED

    @cached_property
    def entries(self) -> list[dict[str, str]]:
        """What the file says, or nothing where there is none. A damaged file is a `ScopeDepthError`."""
        try:
            content = json.loads(self.path.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            raise ScopeDepthError(
                f"{self.path} cannot be read ({error}). Correct it, or delete it."
            ) from error
        fields = {"rule", "before", "after"}
        if not isinstance(content, list) or not all(
            isinstance(e, dict) and fields <= e.keys() for e in content
        ):
            raise ScopeDepthError(f"{self.path} is damaged (no list of rule, before, after). Delete it.")
        return content

    @cached_property
    def _later(self) -> dict[tuple[str, str], set[str]]:
        later: dict[tuple[str, str], set[str]] = {}
        for entry in self.entries:
            later.setdefault((entry["rule"], entry["before"]), set()).add(entry["after"])
        return later

    def same(self, rule: str, before: dict[str, Any], after: dict[str, Any]) -> bool:
        """Say whether code and spec are the same, or one was accepted for the other, in one step or several."""
        one, other = decided_by(before), decided_by(after)
        reached, waiting = {one}, [one]
        while waiting:
            for digest in self._later.get((rule, waiting.pop()), set()) - reached:
                reached.add(digest)
                waiting.append(digest)
        return other in reached


def decided_by(made_from: dict[str, Any]) -> str:
    """Return a digest of the code and the spec in what a result was made from."""
    text = canonical_json({"code": made_from["code"], "spec": made_from["spec"]})
    return hashlib.sha256(text.encode()).hexdigest()[:32]


# Where names are the user's own, so that one more is no field of a new version.
OWN_NAMES = frozenset(
    {"options", "cut", "published", "datasets", "models", "protocols", "gpu_kind", "metric_facts"}
)


def added_only(before: Any, after: Any, name: str = "") -> bool:
    """Say whether `after` is `before` with fields added: what a new version of the configuration's schema does."""
    if not (isinstance(before, dict) and isinstance(after, dict)):
        return bool(before == after)
    if name in OWN_NAMES and before.keys() != after.keys():
        return False
    return all(key in after and added_only(value, after[key], key) for key, value in before.items())
