"""What all parts of the configuration share."""

from __future__ import annotations

from typing import Annotated, Any, ClassVar

from pydantic import BaseModel, ConfigDict, Field, SerializerFunctionWrapHandler, model_serializer

# Names become file names, wildcards and keys of tables: keep them plain.
NAME_PATTERN = r"^[a-z0-9][a-z0-9_]{0,62}$"
Name = Annotated[str, Field(pattern=NAME_PATTERN)]


class Spec(BaseModel):
    """A part of the configuration: unknown fields are refused, values are not changed after checking."""

    model_config = ConfigDict(extra="forbid", frozen=True, validate_default=True)


class GrownSpec(Spec):
    """A part that has learned fields since results were made from it.

    Where such a field says what held before it could be said, it is left out: these specs stay what they were.
    """

    LATER: ClassVar[tuple[str, ...]]

    @model_serializer(mode="wrap")
    def _without_later_defaults(self, write: SerializerFunctionWrapHandler) -> dict[str, Any]:
        found: dict[str, Any] = write(self)
        for name in self.LATER:
            if found[name] == type(self).model_fields[name].default:
                del found[name]
        return found


def plain_spec(name: str, spec: Spec) -> Any:
    """Return a checked entry as the rest of the library takes it: plain values, and its name; one of `specs`."""
    return {"name": name, **spec.model_dump(mode="json")}
