"""What a field of the condition language is: its key, type, meaning, unit and range, declared once where the field stands.

Loading, dumping, flags, JSON Schema and reference pages all read these declarations. Not here: any value or rule.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Final, get_type_hints

ABOUT: Final = "about"


@dataclass(frozen=True, slots=True)
class About:
    """The meaning of a field, in words (`doc`), with its unit, range and an example in the language's own spelling.

    always: the long form writes it even when it holds the default.
    flat: its fields stand in the mapping that holds it (a rule's match).
    aliases: other spellings of the key that the loaders take.
    needs: the attribute beside it without which it says nothing (a correlation needs its jitter).
    """

    doc: str
    unit: str = ""
    example: str = ""
    minimum: int | None = None
    maximum: int | None = None
    always: bool = False
    flat: bool = False
    aliases: tuple[str, ...] = ()
    needs: str = ""


def about(doc: str, **facts: Any) -> dict[str, About]:
    """The metadata of a dataclass field; `facts` are About's fields."""
    return {ABOUT: About(doc, **facts)}


@dataclass(frozen=True, slots=True)
class Declared:
    """A field as the language sees it. `default` is dataclasses.MISSING when the field is required."""

    attribute: str
    key: str
    hint: Any
    default: Any
    about: About

    @property
    def required(self) -> bool:
        return self.default is dataclasses.MISSING


def camel(name: str) -> str:
    """`loss_in_bad` as it is spelt in YAML and JSON: `lossInBad`."""
    first, *others = name.split("_")
    return first + "".join(other.capitalize() for other in others)


_SEEN: dict[type, tuple[Declared, ...]] = {}


def declared_fields(cls: type) -> tuple[Declared, ...]:
    """The declared fields of one of the language's dataclasses, in order."""
    if cls not in _SEEN:
        _SEEN[cls] = _declared(cls)
    return _SEEN[cls]


def _declared(cls: type[Any]) -> tuple[Declared, ...]:
    hints = get_type_hints(cls)
    return tuple(
        Declared(field.name, camel(field.name), hints[field.name], _default(field), field.metadata[ABOUT])
        for field in dataclasses.fields(cls)
    )


def _default(field: dataclasses.Field[Any]) -> Any:
    return field.default if field.default_factory is dataclasses.MISSING else field.default_factory()


def declared_field(cls: type, attribute: str) -> Declared:
    """One declared field by its Python name; KeyError when there is none."""
    for field in declared_fields(cls):
        if field.attribute == attribute:
            return field
    raise KeyError(f"{cls.__name__} has no field {attribute!r}")


_KNOWN: dict[type, bool] = {}


def is_declared(cls: object) -> bool:
    """Whether this is one of the language's dataclasses (and not a value such as Duration)."""
    if not isinstance(cls, type):
        return False
    if cls not in _KNOWN:
        fields = dataclasses.fields(cls) if dataclasses.is_dataclass(cls) else ()
        _KNOWN[cls] = bool(fields) and ABOUT in fields[0].metadata
    return _KNOWN[cls]
