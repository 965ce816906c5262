"""Types of documents. Each type writes a value as JSON, reads that JSON again, and describes it as JSON Schema.

An `ObjectType` with a name is a component of the OpenAPI: others refer to it by `$ref`. Imports little, and has no dataclasses, which
take long to make: a command line that sends one request needs these types. Not here: the documents (other modules of this folder).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final, Generic, Protocol, TypeVar

T = TypeVar("T")
Schema = dict[str, Any]
Components = dict[str, Schema]
"""The named schemas of a document, by name."""
REQUIRED: Final = object()


class WireType(Protocol):
    """What a value is on the wire."""

    def write(self, value: Any) -> Any:
        """The value as JSON."""

    def read(self, plain: Any) -> Any:
        """The value of that JSON. Raises KeyError, TypeError, ValueError, AttributeError for JSON of another type."""

    def schema(self, components: Components) -> Schema:
        """The type as JSON Schema. Named types are added to `components`."""


def _same(value: Any) -> Any:
    return value


class Scalar:
    """A value that is one text, number or flag, or JSON that is not described further."""

    def __init__(self, described: Schema, write: Callable[[Any], Any] = _same, read: Callable[[Any], Any] = _same) -> None:
        self.described, self.write, self.read = described, write, read

    def schema(self, components: Components) -> Schema:
        return dict(self.described)


def scaled(factor: float, *, whole: bool = False) -> Scalar:
    """A number that is `factor` times as large in Python as on the wire. whole: an integer in Python."""
    return Scalar(
        {"type": "number"}, lambda value: value / factor, lambda plain: round(plain * factor) if whole else plain * factor
    )


def choice(*words: str) -> Scalar:
    """One of these texts."""
    return Scalar({"type": "string", "enum": list(words)})


TEXT: Final = Scalar({"type": "string"})
WHOLE: Final = Scalar({"type": "integer"})
NUMBER: Final = Scalar({"type": "number"})
FLAG: Final = Scalar({"type": "boolean"})
OPEN: Final = Scalar({"type": "object"})
"""An object that is not described further."""
TIME: Final = Scalar({"type": "string", "format": "date-time"})
MICROSECONDS: Final = scaled(1e6)
"""Microseconds in Python, seconds on the wire."""


class Named(Scalar):
    """A component of the OpenAPI that is written and read elsewhere."""

    def __init__(
        self, name: str, described: Schema, write: Callable[[Any], Any] = _same, read: Callable[[Any], Any] = _same
    ) -> None:
        super().__init__(described, write, read)
        self.name = name

    def schema(self, components: Components) -> Schema:
        components[self.name] = dict(self.described)
        return reference(self.name)


class Nullable:
    """None, or a value of this type."""

    def __init__(self, inner: WireType) -> None:
        self.inner = inner

    def write(self, value: Any) -> Any:
        return None if value is None else self.inner.write(value)

    def read(self, plain: Any) -> Any:
        return None if plain is None else self.inner.read(plain)

    def schema(self, components: Components) -> Schema:
        return {"anyOf": [self.inner.schema(components), {"type": "null"}]}


FINITE: Final = Nullable(Scalar({"type": "number"}))
"""None, or a number."""


class ListOf:
    """A tuple of values of this type."""

    def __init__(self, inner: WireType) -> None:
        self.inner = inner

    def write(self, value: Any) -> Any:
        return [self.inner.write(each) for each in value]

    def read(self, plain: Any) -> Any:
        return tuple(self.inner.read(each) for each in plain)

    def schema(self, components: Components) -> Schema:
        return {"type": "array", "items": self.inner.schema(components)}


class MapOf:
    """Values of this type by names."""

    def __init__(self, inner: WireType) -> None:
        self.inner = inner

    def write(self, value: Any) -> Any:
        return {key: self.inner.write(each) for key, each in value.items()}

    def read(self, plain: Any) -> Any:
        return {key: self.inner.read(each) for key, each in plain.items()}

    def schema(self, components: Components) -> Schema:
        return {"type": "object", "additionalProperties": self.inner.schema(components)}


class Deferred:
    """A type of another module, which is imported when it is first used."""

    def __init__(self, find: Callable[[], WireType]) -> None:
        self.find = find

    def write(self, value: Any) -> Any:
        return self.find().write(value)

    def read(self, plain: Any) -> Any:
        return self.find().read(plain)

    def schema(self, components: Components) -> Schema:
        return self.find().schema(components)


class Property:
    """A property of an object. get: from the value; put: arguments for the value, None when it is written only.

    default: when the value has it, the property is left out.
    """

    def __init__(
        self,
        type: WireType,  # noqa: A002 - of the property
        get: Callable[[Any], Any],
        put: Callable[[Any], dict[str, Any]] | None,
        about: str = "",
        default: Any = REQUIRED,
    ) -> None:
        self.type, self.get, self.put, self.about, self.default = type, get, put, about, default

    def schema(self, components: Components) -> Schema:
        """Its type, and what it means."""
        return {**self.type.schema(components), **({"description": self.about} if self.about else {})}


def of(path: str, what: WireType, about: str = "", *, default: Any = REQUIRED) -> Property:
    """The attribute of this name, or of an attribute: `socket.uid`. Read as an argument of its last name."""
    *steps, name = path.split(".")

    def get(value: Any) -> Any:
        for step in steps:
            value = getattr(value, step)
        return getattr(value, name)

    return Property(what, get, lambda read: {name: read}, about, default)


def computed(what: WireType, get: Callable[[Any], Any], about: str = "", *, default: Any = REQUIRED) -> Property:
    """Written for readers elsewhere; not read again."""
    return Property(what, get, None, about, default)


class ObjectType(Generic[T]):
    """An object. name: of the component, "" to stand where it is used. make: takes the arguments that properties read."""

    def __init__(self, name: str, about: str, make: Callable[..., T], properties: Mapping[str, Property]) -> None:
        self.name, self.about, self.make, self.properties = name, about, make, properties

    def write(self, value: T) -> dict[str, Any]:
        found = {}
        for key, each in self.properties.items():
            inner = each.get(value)
            if each.default is REQUIRED or inner != each.default:
                found[key] = each.type.write(inner)
        return found

    def read(self, plain: Any) -> T:
        return self.make(**self.arguments(plain))

    def arguments(self, plain: Mapping[str, Any]) -> dict[str, Any]:
        """What `make` takes."""
        found: dict[str, Any] = {}
        for key, each in self.properties.items():
            if each.put is not None:
                absent = each.default is not REQUIRED and key not in plain
                found |= each.put(each.default if absent else each.type.read(plain[key]))
        return found

    def schema(self, components: Components) -> Schema:
        if not self.name:
            return self._whole(components)
        if self.name not in components:
            components[self.name] = {}  # it may contain itself
            components[self.name] = self._whole(components)
        return reference(self.name)

    def _whole(self, components: Components) -> Schema:
        schema: Schema = {"type": "object", **({"description": self.about} if self.about else {})}
        schema["properties"] = {key: each.schema(components) for key, each in self.properties.items()}
        schema["required"] = [key for key, each in self.properties.items() if each.default is REQUIRED]
        return schema


def reference(name: str) -> Schema:
    """A component of the OpenAPI."""
    return {"$ref": f"#/components/schemas/{name}"}


def group(properties: Mapping[str, Property]) -> Property:
    """Properties of the same value, in an object of their own."""
    return Property(ObjectType("", "", dict, properties), _same, _same)


def items(what: WireType, name: str, about: str) -> ObjectType[list[Any]]:
    """An object with a list of values: {"items": […]}."""
    return ObjectType(
        name, about, lambda items: list(items), {"items": Property(ListOf(what), _same, lambda read: {"items": read})}
    )
