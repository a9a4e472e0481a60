"""What all parts of the configuration share."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

# Names become file names, wildcards and keys of tables: keep them plain.
NAME_PATTERN = r"^[a-z0-9][a-z0-9_]{0,62}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Spec(BaseModel):
    """A part of the configuration: unknown fields are refused, values are not changed after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


def plain_spec(name: str, spec: Spec) -> Any:
    """Return a checked entry as the rest of the library takes it: plain values, and its name; one of `specs`."""
    return {"name": name, **spec.model_dump(mode="json")}
