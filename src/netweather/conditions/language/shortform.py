"""Short forms on one line: `gemodel:p=1%,r=10%`, `every:10`, `10ms,20ms`, `to=192.0.2.1,port=22`.

Grammar: items with commas between them; an item is KEY=VALUE or a VALUE, which belongs to the next field that has none
yet (a list takes all that are left). A loss is a percentage, or a model's name, a colon and its items.
One that fails: `gemodel:q=1%` (no such key). Both directions work on plain data; codec makes objects of it.
"""

from __future__ import annotations

import re
from typing import Any, Final, get_origin

from netweather.conditions.declare import Declared, declared_fields
from netweather.conditions.loss import LOSS_MODELS
from netweather.errors import UsageError, unknown

_KEY: Final = re.compile(r"([0-9]-)?[A-Za-z][A-Za-z0-9_-]*|[0-9]-[a-z]", re.ASCII)


def plain_of_short(cls: type, text: str, where: str) -> dict[str, Any]:
    """The fields that a short form gives, keyed as in YAML. Raises UsageError unknown-key, duplicate-key or bad-short-form."""
    fields = declared_fields(cls)
    names = {_folded(name): field for field in fields for name in _names(field)}
    plain: dict[str, Any] = {}
    for item in text.split(","):
        key, sign, value = item.partition("=")
        if sign and _KEY.fullmatch(key):
            found = names.get(_folded(key))
            if found is None:
                raise unknown("unknown-key", key, [name for field in fields for name in _names(field)], where)
        else:
            found, value = _next_free(fields, plain, where, item), item
        _put(plain, found, value, where)
    return plain


def _names(field: Declared) -> tuple[str, ...]:
    singular = (field.key.removesuffix("s"),) if _is_list(field) else ()
    return (field.key, *singular, *field.about.aliases)


def _folded(name: str) -> str:
    return name.replace("-", "").replace("_", "").lower()


def _is_list(field: Declared) -> bool:
    return get_origin(field.hint) is tuple


def _next_free(fields: tuple[Declared, ...], plain: dict[str, Any], where: str, item: str) -> Declared:
    for field in fields:
        if field.key not in plain or _is_list(field):
            return field
    raise UsageError("bad-short-form", f"{where}: {item!r} is a superfluous value", "", "name the values: key=value,key=value")


def _put(plain: dict[str, Any], field: Declared, value: str, where: str) -> None:
    if not value:
        raise UsageError("bad-short-form", f"{where}: a value is empty", "", f"write {field.key}={field.about.example}")
    if _is_list(field):
        plain.setdefault(field.key, []).append(value)
    elif field.key in plain:
        raise UsageError("duplicate-key", f"{where}: {field.key} is given twice", "only one can apply", "remove one")
    else:
        plain[field.key] = value


def plain_of_loss(text: str, where: str) -> dict[str, Any]:
    """A loss in its short form as a long one. Raises UsageError as plain_of_short does."""
    model, colon, items = text.partition(":")
    if not colon and model not in LOSS_MODELS:
        return {"model": "random", "percent": text}
    if model not in LOSS_MODELS:
        raise unknown("unknown-loss-model", model, LOSS_MODELS, where)
    if not items:
        raise UsageError("bad-short-form", f"{where}: {text!r} has no values", "", f"write {_EXAMPLES[model]}")
    plain = plain_of_short(LOSS_MODELS[model], items, where)
    _fill_in_as_tc(model, plain)
    return {"model": model, **plain}


def _fill_in_as_tc(model: str, plain: dict[str, Any]) -> None:
    """The way back that tc takes when it isn't given: what is left to 100 %, which makes losses independent."""
    from netweather.units import Percent

    there, back = {"gemodel": ("p", "r"), "state": ("p13", "p31")}.get(model, ("", ""))
    if there in plain and back not in plain:
        plain[back] = str(Percent.parse(plain[there]).rest)


_EXAMPLES: Final = {
    "random": "random:1%",
    "gemodel": "gemodel:p=1%,r=10%",
    "state": "state:p13=1%,p31=10%",
    "burst": "burst:mean=5,share=2%",
    "every": "every:10",
    "list": "list:3,7,9",
}


def short_of_plain(plain: dict[str, Any]) -> str:
    """The short form of a long one; a loss is told by its `model`. Keys are kebab-case."""
    items = [
        f"{_kebab(key)}={item}"
        for key, value in plain.items()
        if key != "model"
        for item in (value if isinstance(value, list) else [value])
    ]
    prefix = f"{plain['model']}:" if "model" in plain else ""
    return prefix + ",".join(items)


def _kebab(key: str) -> str:
    return re.sub(r"([A-Z])", lambda found: "-" + found[1].lower(), key)
