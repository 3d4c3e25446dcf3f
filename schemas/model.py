"""What every part of a message has in common: strict, closed, frozen, and silent about its content.

The invariant: a value of these classes has been read strictly (no coercion, no unknown member), and neither its printed
form nor an error about it shows what a sender wrote. A rule between members stands once, as data (`NEEDS`, `ONE_OF`,
`SOME_OF`), and is both checked here and published in the JSON Schema.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, ClassVar, LiteralString, Self

from pydantic import BaseModel, ConfigDict, GetJsonSchemaHandler, model_validator
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, PydanticCustomError

from gateway.core.identity import Identity
from gateway.core.messages import Facts

Path = tuple[str | int, ...]
_ABSENT: list[Any] = [None, []]


@dataclass(frozen=True, slots=True)
class Need:
    """When `field` has this value, the `requires` are present and the `forbids` are absent, null or empty.

    With `among` the field is a list, and the value stands somewhere in it.
    """

    field: str
    value: str | bool
    requires: tuple[str, ...] = ()
    forbids: tuple[str, ...] = ()
    among: bool = False


class Model(BaseModel):
    """A closed object of a message. The text below a member is its description in the published schema."""

    model_config = ConfigDict(
        strict=True,
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
        defer_build=True,  # a type's checks are built when the first message of it comes, not at the start
    )

    NEEDS: ClassVar[tuple[Need, ...]] = ()
    ONE_OF: ClassVar[tuple[tuple[str, ...], ...]] = ()
    SOME_OF: ClassVar[tuple[tuple[str, ...], ...]] = ()

    @model_validator(mode="after")
    def _members_agree(self) -> Self:
        for need in self.NEEDS:
            given = getattr(self, need.field)
            if need.value in given if need.among else given == need.value:
                self._meet(need)
        for names in self.ONE_OF:
            present = [name for name in names if self._has(name)]
            if len(present) != 1:
                raise fault("one-of" if present else "required", present[-1] if present else names[0])
        for names in self.SOME_OF:
            if not any(self._has(name) for name in names):
                raise fault("required", names[0])
        return self

    def _meet(self, need: Need) -> None:
        for name in need.requires:
            if not self._has(name):
                raise fault("required", name)
        for name in need.forbids:
            if self._has(name):
                raise fault("not-allowed-here", name)

    def _has(self, name: str) -> bool:
        return getattr(self, name) not in (None, ())

    def __repr_args__(self) -> Iterator[tuple[str | None, Any]]:
        """Nothing: a message in a log line or a traceback shows its class and no content."""
        return iter(())

    def __str__(self) -> str:
        return repr(self)

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        reference = handler(core_schema)
        rules = [
            *(_published_need(need, cls.model_fields[need.field].default) for need in cls.NEEDS),
            *({"oneOf": _published_presence(names)} for names in cls.ONE_OF),
            *({"anyOf": _published_presence(names)} for names in cls.SOME_OF),
        ]
        if rules:
            handler.resolve_ref_schema(reference)["allOf"] = rules
        return reference


class Body(Model):
    """What one message type says. `TYPE` and `VERSION` name it on the wire, `CODE` in the domain's catalogue."""

    TYPE: ClassVar[str]
    VERSION: ClassVar[int] = 1
    CODE: ClassVar[str]
    TITLE: ClassVar[str]
    ANSWERS: ClassVar[bool] = False  # whether each message of the type is an answer

    @property
    def answers(self) -> bool:
        """Whether the envelope must say which message this one answers."""
        return self.ANSWERS

    def facts(self) -> Facts:
        """What rules may read of this body; no personal data."""
        return Facts()

    def children_index(self) -> tuple[Identity, ...]:
        """Who the children are that this body is about, in its own order, for the blind index; most types name none."""
        return tuple(
            Identity(
                getattr(child, "given_names", None),
                getattr(child, "family_name", None),
                tuple(getattr(child, "other_names", ())),
                getattr(child, "date_of_birth", None),
                getattr(child, "nhs_number", None),
            )
            for child in getattr(self, "children", ())
        )

    def births(self) -> Iterable[tuple[Path, date]]:
        """Each date of birth that claims to have happened, with where it stands in the body."""
        return ()


def fault(code: LiteralString, *at: str | int) -> PydanticCustomError:
    """An error for a validator to raise: a coarse code, and the member it is about, below the validated object."""
    return PydanticCustomError(code, code, {"at": at})


def moments(**instants: datetime | None) -> dict[str, datetime]:
    """The instants that are known, by event name."""
    return {name: at for name, at in instants.items() if at is not None}


def words(*values: StrEnum | None) -> tuple[str, ...]:
    """Coded values as plain text, without those that are not given."""
    return tuple(value.value for value in values if value is not None)


def _published_need(need: Need, default: Any) -> JsonSchemaValue:
    conclusion: JsonSchemaValue = {}
    if need.requires:
        conclusion["required"] = list(need.requires)
    conclusion["properties"] = {
        **{name: {"not": {"enum": _ABSENT}} for name in need.requires},
        **{name: {"enum": _ABSENT} for name in need.forbids},
    }
    value: JsonSchemaValue = {"const": need.value}
    condition: JsonSchemaValue = {"properties": {need.field: {"contains": value} if need.among else value}}
    if need.among or default != need.value:
        condition["required"] = [need.field]
    return {"if": condition, "then": conclusion}


def _published_presence(names: tuple[str, ...]) -> list[JsonSchemaValue]:
    return [{"properties": {name: {"not": {"enum": _ABSENT}}}, "required": [name]} for name in names]
