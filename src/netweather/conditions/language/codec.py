"""Plain data (dict, list, str, int, bool) to the language's objects and back, guided by the declarations of the fields.

`read` takes the short forms too; `write` gives the long form. A place in the data is told as `rules[0].condition.delay`.
Not here: text formats, the envelope around a network condition (loading, dumping), semantic checks (validation).
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from types import NoneType, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin

from netweather.conditions.declare import Declared, declared_field, declared_fields, is_declared
from netweather.conditions.language.shortform import plain_of_loss, plain_of_short
from netweather.conditions.loss import LOSS_MODELS
from netweather.conditions.match import EXCLUSIONS, Connection, Match, PortRange, TcpFlags
from netweather.conditions.model import FOREVER, Condition, Delay, Forever, Rule
from netweather.errors import UsageError, unknown
from netweather.units import Duration, MeanLength, Packets, Percent, Rate, Size, parse_limit

TEXT_VALUES: Final[dict[type, Callable[[str], object]]] = {
    cls: cls.parse for cls in (Duration, Percent, Rate, Size, Packets, MeanLength, PortRange, Connection, TcpFlags)
}


def read(hint: Any, data: object, where: str) -> Any:
    """The object of type `hint` that `data` spells; objects of that type pass. Raises UsageError."""
    if hint is Any:
        return data
    if is_declared(hint):
        return _read_declared(hint, data, where)
    if hint in TEXT_VALUES:
        return _read_text(hint, data, where)
    if hint in (int, bool, str):
        return _read_scalar(hint, data, where)
    origin = get_origin(hint)
    if origin is Mapping:
        return _read_texts(data, where)
    if origin is tuple:
        return _read_list(get_args(hint)[0], data, where)
    if origin is Literal:
        return _read_choice(get_args(hint), data, where)
    if origin in (Union, UnionType):
        return _read_union(get_args(hint), data, where)
    raise TypeError(f"no codec for {hint}")


def bad_type(data: object, wanted: str, where: str, remedy: str = "") -> UsageError:
    """A UsageError for data of another kind than the place takes."""
    kind = {dict: "a mapping", list: "a list", NoneType: "empty", bool: "true or false", str: "a text"}.get(type(data))
    shown = kind or f"the number {data!s:.40}" if isinstance(data, int | float) else kind or f"a {type(data).__name__}"
    return UsageError("bad-type", f"{where}: it is {shown}, and must be {wanted}", "", remedy or f"write {wanted}")


def _read_text(cls: type, data: object, where: str) -> object:
    if isinstance(data, cls):
        return data
    if isinstance(data, bool) or not isinstance(data, str | int | float):
        raise bad_type(data, f"a {cls.__name__.lower()}", where, "write it as a text")
    try:
        return TEXT_VALUES[cls](str(data))
    except UsageError as error:
        raise placed(error, where) from error


def placed(error: UsageError, where: str) -> UsageError:
    """The same error, naming the place it stands at."""
    return UsageError(error.code, f"{where}: {error.what}", error.why, error.remedy)


def _read_scalar(hint: type, data: object, where: str) -> object:
    if type(data) is hint:
        return data
    if hint is int and isinstance(data, str) and len(data) < 25 and data.removeprefix("-").isdecimal() and data.isascii():
        return int(data)
    if hint is str and type(data) is int:
        return str(data)
    raise bad_type(data, {int: "a whole number", bool: "true or false", str: "a text"}[hint], where)


def _read_list(item: Any, data: object, where: str) -> tuple[Any, ...]:
    if data is None:
        raise bad_type(data, "a list", where, "write [] or leave the key out")
    if isinstance(data, str) and item not in (str, Match):  # a match has commas of its own
        data = [part for part in data.split(",") if part.strip()]
    items = data if isinstance(data, list | tuple) else [data]
    return tuple(read(item, each, f"{where}[{index}]") for index, each in enumerate(items))


def _read_texts(data: object, where: str) -> dict[str, str]:
    if not isinstance(data, Mapping):
        raise bad_type(data, "a mapping", where, "write key: value")
    return {read(str, key, where): read(str, value, f"{where}.{key}") for key, value in data.items()}


def _read_choice(words: tuple[Any, ...], data: object, where: str) -> object:
    if data in words and isinstance(data, str):
        return data
    if not isinstance(data, str):
        raise bad_type(data, f"one of {', '.join(words)}", where)
    raise unknown("unknown-value", data, words, where)


def _read_union(members: tuple[Any, ...], data: object, where: str) -> object:
    if NoneType in members:
        rest = tuple(member for member in members if member is not NoneType)
        if data is None or len(rest) == 1:
            return None if data is None else read(rest[0], data, where)
        members = rest
    if set(members) == set(LOSS_MODELS.values()):
        return _read_loss(data, where)
    if Forever in members:
        return FOREVER if data is FOREVER or data == "forever" else read(Duration, data, where)
    if set(members) == {Packets, Size, Duration}:
        return _read_limit(data, where)
    if int in members:
        return _read_number_or_word(members, data, where)
    raise TypeError(f"no codec for {members}")


def _read_limit(data: object, where: str) -> object:
    if isinstance(data, Packets | Size | Duration):
        return data
    if isinstance(data, bool) or not isinstance(data, str | int):
        raise bad_type(data, "a number of packets, a size or a time", where, "write 1000 for packets, 64kb for bytes, or 500ms")
    try:
        return parse_limit(str(data))
    except UsageError as error:
        raise placed(error, where) from error


def _read_number_or_word(members: tuple[Any, ...], data: object, where: str) -> object:
    if isinstance(data, int) and not isinstance(data, bool):
        return data
    if isinstance(data, str) and data.isdecimal() and data.isascii() and len(data) < 25:
        return int(data)
    words = next(get_args(member) for member in members if get_origin(member) is Literal)
    return _read_choice(words, data.lower() if isinstance(data, str) else data, where)


def _read_loss(data: object, where: str) -> object:
    if type(data) in LOSS_MODELS.values():
        return data
    if isinstance(data, str | int | float) and not isinstance(data, bool):
        try:
            data = plain_of_loss(str(data), where)
        except UsageError as error:
            raise error if error.what.startswith(where) else placed(error, where) from error
    if not isinstance(data, Mapping):
        raise bad_type(data, "a percentage or a loss model", where, "write 1% or {model: gemodel, p: 1%, r: 10%}")
    model = data.get("model", "random")
    if not isinstance(model, str) or model not in LOSS_MODELS:
        raise unknown("unknown-loss-model", model, LOSS_MODELS, f"{where}.model")
    return _read_fields(LOSS_MODELS[model], {key: value for key, value in data.items() if key != "model"}, where)


def _read_declared(cls: type, data: object, where: str) -> object:
    if type(data) is cls:
        return data
    if cls is Match and isinstance(data, str):
        return EXCLUSIONS.get(data) or _read_fields(cls, plain_of_short(cls, data, where), where)
    short = getattr(cls, "SHORT", None)
    if short and isinstance(data, str | int | float | Duration | Percent | Rate) and not isinstance(data, bool):
        data = plain_of_short(cls, data, where) if isinstance(data, str) and data else {short: data}
    if not isinstance(data, Mapping):
        raise bad_type(data, "a mapping" + (f" or its {short}" if short else ""), where, "write key: value")
    if cls is Condition and "rtt" in data:
        data = _split_rtt(data, where)
    if cls is Rule:
        _check_rtt_direction(data, where)
    return _read_fields(cls, data, where)


def _split_rtt(data: Mapping[str, object], where: str) -> dict[str, object]:
    """`rtt: 200ms` as a delay of 100 ms in each direction."""
    if "delay" in data:
        why = "rtt is a delay too: half of it in each direction"
        raise UsageError("conflicting-fields", f"{where}: both rtt and delay are given", why, "leave one of them out")
    whole = read(Delay, data["rtt"], f"{where}.rtt")
    rest = {key: value for key, value in data.items() if key != "rtt"}
    return {**rest, "delay": dataclasses.replace(whole, time=whole.time // 2)}


def _check_rtt_direction(data: Mapping[str, object], where: str) -> None:
    condition, direction = data.get("condition"), data.get("direction", "both")
    if isinstance(condition, Mapping) and "rtt" in condition and direction != "both":
        why = "half of it belongs to each direction"
        raise UsageError("conflicting-fields", f"{where}: rtt needs direction both", why, "write delay for one direction")


def _flat_fields(cls: type) -> list[Declared]:
    return [inner for field in declared_fields(cls) for inner in (declared_fields(field.hint) if field.about.flat else (field,))]


def _read_fields(cls: type, data: Mapping[str, object], where: str) -> Any:
    fields = _flat_fields(cls)
    keys = {name: field for field in fields for name in (field.key, field.attribute, *field.about.aliases)}
    given: dict[str, Any] = {}
    for key, value in data.items():
        if key not in keys:
            extra = ["rtt"] if cls is Condition else []
            raise unknown("unknown-key", key, [field.key for field in fields] + extra, where or "the top")
        field = keys[key]
        if field.attribute in given:
            raise UsageError("duplicate-key", f"{where}: {field.key} is given twice", "only one can apply", "remove one")
        given[field.attribute] = read(field.hint, value, f"{where}.{key}" if where else str(key))
    missing = [field.key for field in fields if field.required and field.attribute not in given]
    if missing:
        raise UsageError("missing-key", f"{where}: {missing[0]} is missing", "", f"add {', '.join(missing)}")
    for field in fields:
        if field.about.needs and field.attribute in given and field.about.needs not in given:
            needed = declared_field(cls, field.about.needs)
            why = f"it only refines {needed.key}, which is missing"
            remedy = f"add {needed.key}: {needed.about.example}"
            raise UsageError("missing-key", f"{where}: {field.key} needs {needed.key}", why, remedy)
    for outer in declared_fields(cls):
        if outer.about.flat:
            inner = {name.attribute: given.pop(name.attribute) for name in declared_fields(outer.hint) if name.attribute in given}
            given[outer.attribute] = outer.hint(**inner)
    return cls(**given)


def write(value: object) -> Any:
    """The long form of an object, in plain data; fields that hold their default are left out."""
    if is_declared(type(value)):
        return _write_declared(value)
    if isinstance(value, tuple):
        return [write(item) for item in value]
    if isinstance(value, Packets):
        return value.count
    if isinstance(value, PortRange):
        return value.first if value.first == value.last else str(value)
    if type(value) in TEXT_VALUES or isinstance(value, Forever):
        return str(value)
    return value


def _write_declared(value: object) -> dict[str, Any]:
    plain: dict[str, Any] = {"model": value.MODEL} if hasattr(value, "MODEL") else {}
    fields = declared_fields(type(value))
    changed = {field.attribute for field in fields if field.required or getattr(value, field.attribute) != field.default}
    changed |= {field.about.needs for field in fields if field.attribute in changed}
    for field in fields:
        content = getattr(value, field.attribute)
        if field.about.flat:
            plain |= _write_declared(content)
        elif field.about.always or field.attribute in changed:
            plain[field.key] = write(content)
    return plain
