"""JSON Schema (draft 2020-12) of the long form, generated from the declarations; and the form a Kubernetes CRD takes.

What the schema says no to, the loaders refuse too, with better words; some of what the loaders refuse (fields that
contradict each other) no schema can say. Short forms are not part of it: they are for people, and loaders make them long.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from netweather.conditions.declare import Declared, declared_fields, is_declared
from netweather.conditions.language.codec import write
from netweather.conditions.language.loading import API_VERSION, KIND
from netweather.conditions.loss import LOSS_MODELS
from netweather.conditions.match import Connection, PortRange, TcpFlags
from netweather.conditions.model import Forever, NetworkCondition
from netweather.conditions.validation import MOST_LISTED, MOST_RULES
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size

DIALECT: Final = "https://json-schema.org/draft/2020-12/schema"
Schema = dict[str, Any]

_DECIMAL: Final = r"[0-9]{1,20}(\.[0-9]{1,20})?"
_TIME: Final = rf"0|{_DECIMAL}(ns|us|ms|s|m|h|d)"
_PERCENT: Final = r"(100(\.0{1,20})?|[0-9]{1,2}(\.[0-9]{1,7})?)%"
_INT_OR_TEXT: Final[Schema] = {"anyOf": [{"type": "integer"}, {"type": "string"}], "x-kubernetes-int-or-string": True}
_TEXTS: Final[dict[type, str]] = {
    Duration: _TIME,
    Percent: _PERCENT,
    Rate: rf"0|{_DECIMAL}[kmgt]?bit",
    Size: rf"{_DECIMAL}([kmg]i?)?b",
    MeanLength: r"[0-9]{1,7}(\.[0-9]{1,3})?",
    Connection: r"(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}-(\[[0-9A-Fa-f:.]+\]|[0-9.]+):[0-9]{1,5}",
    TcpFlags: r"!?(fin|syn|rst|psh|ack|urg|ece|cwr)(\+!?(fin|syn|rst|psh|ack|urg|ece|cwr)){0,7}",
}
_NAME: Final[Schema] = {
    "type": "string",
    "pattern": "^[a-z0-9]([-a-z0-9.]{0,61}[a-z0-9])?$",
    "description": "its name, one of each on a target",
}


def json_schema() -> Schema:
    """The schema of one network condition in the long form."""
    return document_schema(NetworkCondition, KIND, spec_schema())


def components(cls: type) -> dict[str, Schema]:
    """The schema of a document of this kind as components of an OpenAPI: one for each dataclass, which others refer to by `$ref`."""
    found: dict[str, Schema] = {}
    kind, name = cls.__name__, f"{cls.__name__}Spec"
    spec = spec_schema(found) if cls is NetworkCondition else _spec(cls, found)
    whole = document_schema(cls, kind, _reference(name))
    document = {key: value for key, value in whole.items() if not key.startswith("$")}
    metadata = document["properties"]["metadata"]
    document["properties"] |= {"metadata": _reference("Metadata")}
    return {kind: document, name: spec, "Metadata": metadata, **found}


def _reference(name: str) -> Schema:
    return {"$ref": f"#/components/schemas/{name}"}


def _spec(cls: type, found: dict[str, Schema] | None = None) -> Schema:
    spec = _object(cls, found)
    del spec["properties"]["name"]
    return spec


def document_schema(cls: type, kind: str, spec: Schema | None = None) -> Schema:
    """The schema of one document of this kind in the long form: an envelope around a dataclass of the language."""
    metadata = {"type": "object", "properties": {"name": _NAME}, "required": ["name"]}
    status = {"type": "object", "description": "what Netweather found and did; not read when given"}
    return {
        "$schema": DIALECT,
        "$id": f"https://{API_VERSION}/{_kebab(kind)}.json",
        "title": kind,
        "description": (cls.__doc__ or "").strip(),
        "type": "object",
        "properties": {
            "apiVersion": {"const": API_VERSION},
            "kind": {"const": kind},
            "metadata": metadata,
            "spec": spec or _spec(cls),
            "status": status,
        },
        "required": ["apiVersion", "kind", "metadata", "spec"],
        "additionalProperties": False,
    }


def _kebab(kind: str) -> str:
    return re.sub("(?<!^)([A-Z])", r"-\1", kind).lower()


def spec_schema(found: dict[str, Schema] | None = None) -> Schema:
    """The schema of a network condition's spec. found: gets the schemas that it refers to; None: they are in it."""
    schema = _spec(NetworkCondition, found)
    schema["properties"]["rules"]["maxItems"] = MOST_RULES
    schema["properties"]["exclude"]["maxItems"] = MOST_RULES
    return schema


def kubernetes_schema() -> Schema:
    """The spec's schema as a structural one, for openAPIV3Schema: no additionalProperties, and types apart from choices."""
    structural: Schema = _structural(spec_schema())
    return structural


def structural_schema(cls: type) -> Schema:
    """One of the language's dataclasses as a structural schema."""
    structural: Schema = _structural(_object(cls))
    return structural


def _structural(value: Any) -> Any:
    if isinstance(value, list):
        return [_structural(item) for item in value]
    if not isinstance(value, dict):
        return value
    plain = {key: _structural(item) for key, item in value.items() if key != "additionalProperties" or item}
    if "oneOf" in plain:
        plain.pop("oneOf")
    return plain


def _object(cls: type, found: dict[str, Schema] | None = None) -> Schema:
    fields = [
        inner for field in declared_fields(cls) for inner in (declared_fields(field.hint) if field.about.flat else (field,))
    ]
    schema: Schema = {
        "type": "object",
        "properties": {field.key: _described(field, found) for field in fields},
        "additionalProperties": False,
    }
    required = [field.key for field in fields if field.required]
    return {**schema, "required": required} if required else schema


def _described(field: Declared, found: dict[str, Schema] | None) -> Schema:
    about = field.about
    schema = dict(_schema(field.hint, field, found))
    words = f"{about.doc} ({about.unit})" if about.unit and about.unit not in about.doc else about.doc
    schema["description"] = words
    if not field.required and field.default not in (None, (), {}) and not is_declared(type(field.default)):
        schema["default"] = write(field.default)
    return schema


def _named(name: str, make: Callable[[], Schema], about: str | None, found: dict[str, Schema] | None) -> Schema:
    """A schema, or a reference to it, with which it is added to `found`."""
    if found is None:
        return make()
    if name not in found:
        found[name] = {}
        found[name] = {"description": (about or "").strip(), **make()}
    return _reference(name)


def _schema(hint: Any, field: Declared, found: dict[str, Schema] | None) -> Schema:
    if is_declared(hint):
        return _named(hint.__name__, lambda: _object(hint, found), hint.__doc__, found)
    if hint in _TEXTS:
        return {"type": "string", "pattern": f"^({_TEXTS[hint]})$"}
    if hint is PortRange:
        return dict(_INT_OR_TEXT)
    if hint is bool:
        return {"type": "boolean"}
    if hint is str:
        return {"type": "string"}
    if hint is int:
        return _whole(field.about.minimum, field.about.maximum)
    if hint is Packets:
        return _whole(0, 2**32 - 1)
    if get_origin(hint) is Mapping:
        return {"type": "object", "additionalProperties": {"type": "string"}}
    if get_origin(hint) is Literal:
        return {"type": "string", "enum": list(get_args(hint))}
    if get_origin(hint) is tuple:
        most = {"maxItems": MOST_LISTED, "minItems": 1} if field.key == "indices" else {}
        return {"type": "array", "items": _schema(get_args(hint)[0], field, found), **most}
    if get_origin(hint) in (Union, UnionType):
        return _union([member for member in get_args(hint) if member is not NoneType], field, found)
    raise TypeError(f"no schema for {hint}")


def _whole(minimum: int | None, maximum: int | None) -> Schema:
    """A range, left out where it goes beyond what JSON readers keep exact and Kubernetes takes (int64)."""
    schema: Schema = {"type": "integer"}
    if minimum is not None:
        schema["minimum"] = minimum
    if maximum is not None and maximum < 2**53:
        schema["maximum"] = maximum
    return schema


def _union(members: list[Any], field: Declared, found: dict[str, Schema] | None) -> Schema:
    if len(members) == 1:
        return _schema(members[0], field, found)
    if set(members) == set(LOSS_MODELS.values()):
        return _named("Loss", _loss, "How packets are lost.", found)
    if Forever in members:
        return {"type": "string", "pattern": f"^(forever|{_TIME})$"}
    return dict(_INT_OR_TEXT)


def _loss() -> Schema:
    """One flat object for all models, told apart by `model`: Kubernetes takes no alternatives with types of their own."""
    properties: Schema = {"model": {"type": "string", "enum": list(LOSS_MODELS), "description": "which loss model"}}
    choices = []
    for name, cls in LOSS_MODELS.items():
        schema = _object(cls)
        for key, described in schema["properties"].items():
            properties[key] = _joined(properties.get(key), described, name)
        others = sorted(
            {field.key for other in LOSS_MODELS.values() for field in declared_fields(other)} - {*schema["properties"]}
        )
        choices.append(
            {
                "properties": {"model": {"enum": [name]}},
                "required": ["model", *schema.get("required", [])],
                "not": {"anyOf": [{"required": [key]} for key in others]},
            }
        )
    return {"type": "object", "properties": properties, "oneOf": choices, "additionalProperties": False}


def _joined(known: Schema | None, described: Schema, model: str) -> Schema:
    here = {**described, "description": f"{model}: {described['description']}"}
    here.pop("default", None)
    return here if known is None else {**known, "description": f"{known['description']}; {here['description']}"}


__all__ = ["DIALECT", "components", "document_schema", "json_schema", "kubernetes_schema", "spec_schema", "structural_schema"]
