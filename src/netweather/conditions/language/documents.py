"""The one reader of documents: a YAML or JSON text becomes plain data, and what Kubernetes wraps around it comes off.

    apiVersion: netweather.dev/v1alpha1
    kind: Scenario
    metadata: {name: bad-evening, labels: {team: shop}}
    spec: {…}
Short: the envelope may be left out, with `name` and the fields of spec at the top. `status` is taken and forgotten in either form.
Conditions, scenarios, profiles, labs and the cluster's objects all come through here, so that all refuse the same: a key that stands
twice, a number that is none (NaN), half of a surrogate pair, and what is too large or too deep (document-too-large).
Not here: what the fields mean (codec, loading, scenario).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from netweather.conditions.language.codec import bad_type
from netweather.errors import UsageError, unknown

API_VERSION: Final = "netweather.dev/v1alpha1"
MOST_CHARACTERS: Final = 4 << 20
"""Of a text; 1,000 rules are 300 kB."""
MOST_DEPTH: Final = 64
"""Of lists and mappings in each other; a NetworkTest's pod template has less than 20."""
MOST_VALUES: Final = 500_000
"""As they are read: what aliases of YAML repeat counts each time."""
_TOP: Final = ("apiVersion", "kind", "metadata", "spec", "status")
_METADATA: Final = frozenset(
    {"name", "namespace", "labels", "annotations", "uid", "resourceVersion", "generation", "creationTimestamp", "finalizers"}
    | {"deletionTimestamp", "deletionGracePeriodSeconds", "ownerReferences", "managedFields", "generateName", "selfLink"}
)


# texts


def parse(text: str, *, surely_json: bool = False, floats: Callable[[str], object] = str) -> list[Any]:
    """The documents of a text: JSON when it begins so and is, else YAML. Empty ones are left out.

    surely_json: nothing else will do. floats: what becomes of numbers with a point; the language has none and keeps their text.
    Raises UsageError: bad-json, bad-yaml, duplicate-key, document-too-large.
    """
    if surely_json:
        return [parse_json(text, floats=floats)]
    if text.lstrip("\ufeff \t\r\n")[:1] in ("{", "["):
        try:
            return [parse_json(text, floats=floats)]
        except UsageError as error:
            if error.code != "bad-json":
                raise
    return parse_yaml(text, floats=floats)


def parse_one(text: str, noun: str, code: str = "bad-yaml") -> Any:
    """The only document of a text. noun: what it is to be. Raises UsageError as `parse`, and this code for none or several."""
    documents = parse(text)
    if len(documents) != 1:
        raise UsageError(code, f"the text contains {len(documents)} documents", f"{noun} is one document", "write one to a file")
    return documents[0]


def parse_yaml(text: str, *, floats: Callable[[str], object] = str) -> list[Any]:
    """The documents of a YAML text; empty ones are left out. Raises UsageError: bad-yaml, duplicate-key, document-too-large."""
    from netweather.conditions.language.yamltext import documents_of

    _refuse_long(text)
    found = documents_of(text, floats, MOST_DEPTH, too_large)
    _check(found, "bad-yaml", depth=-1)
    return found


def parse_json(text: str, *, floats: Callable[[str], object] = str) -> Any:
    """The value of a JSON text. Raises UsageError: bad-json, duplicate-key, document-too-large."""
    _refuse_long(text)
    try:
        data = json.loads(
            text.removeprefix("\ufeff"), object_pairs_hook=without_repeats, parse_constant=_no_constant, parse_float=floats
        )
    except RecursionError as error:
        raise too_deep() from error
    except ValueError as error:
        raise UsageError("bad-json", "the text is not JSON", str(error)[:200], "check it with a JSON parser") from error
    _check(data, "bad-json")
    return data


def without_repeats(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """A mapping of these keys and values, each looked at once. Raises UsageError duplicate-key."""
    plain: dict[str, Any] = {}
    for key, value in pairs:
        if key in plain:
            raise UsageError("duplicate-key", f"the key {key[:60]!r} appears twice", "only one can apply", "remove one")
        plain[key] = value
    return plain


def too_large(what: str) -> UsageError:
    """For a text that would cost too much."""
    most = f"the maximum is {MOST_CHARACTERS >> 20} MiB, {MOST_VALUES:,} values and {MOST_DEPTH} levels"
    return UsageError("document-too-large", what, most, "split it, or write out less")


def too_deep() -> UsageError:
    return too_large(f"the document is nested deeper than {MOST_DEPTH} levels")


def _refuse_long(text: str) -> None:
    if len(text) > MOST_CHARACTERS:
        raise too_large(f"the document has {len(text):,} characters")


def _no_constant(word: str) -> Any:
    raise ValueError(f"{word} is not a number")


def _check(data: Any, code: str, depth: int = 0) -> None:
    """Refuses what is too large once aliases are written out, too deep, or not a text. depth: that of the top."""
    sizes: dict[int, tuple[int, int]] = {}  # by identity: values and levels, so that what is repeated is looked at once

    def measured(value: Any, level: int) -> tuple[int, int]:
        if isinstance(value, str):
            _refuse_surrogates(value, code)
        if not isinstance(value, dict | list):
            return 1, 0
        known = sizes.get(id(value))
        if known is None:
            if level >= MOST_DEPTH:
                raise too_deep()
            for key in value if isinstance(value, dict) else ():
                _refuse_surrogates(key, code)
            inner = [measured(each, level + 1) for each in (value.values() if isinstance(value, dict) else value)]
            known = (1 + sum(size for size, _ in inner), 1 + max((levels for _, levels in inner), default=0))
            sizes[id(value)] = known
        if known[0] > MOST_VALUES:
            raise too_large(f"the document has more than {MOST_VALUES:,} values")
        if level + known[1] > MOST_DEPTH:
            raise too_deep()
        return known

    measured(data, depth)


def _refuse_surrogates(text: str, code: str) -> None:
    if not text.isascii():
        try:
            text.encode()
        except UnicodeEncodeError as error:
            what = f"a text holds \\u{ord(text[error.start]):04x}, half of a surrogate pair"
            raise UsageError(code, what, "it is no character", "write the character itself") from error


# envelopes


@dataclass(frozen=True)
class Envelope:
    """The parts of an object, as Kubernetes has them; those that are not there are empty."""

    metadata: Mapping[str, Any]
    spec: Mapping[str, Any]
    status: Mapping[str, Any]


def has_envelope(data: Mapping[str, Any]) -> bool:
    """Whether it is the long form."""
    return any(key in data for key in ("apiVersion", "kind", "metadata", "spec"))


def opened(data: object, kind: str, *, of_server: bool = False) -> Envelope:
    """The parts of an object of this kind. of_server: an API server wrote the metadata, perhaps a later one than we know.

    Raises UsageError: bad-type, unknown-key, unknown-version, unknown-kind.
    """
    if not isinstance(data, Mapping):
        raise bad_type(data, "a mapping", "the top", f"start with apiVersion: {API_VERSION}")
    for key in data:
        if key not in _TOP:
            raise unknown("unknown-key", key, _TOP, "the top")
    for key, wanted in (("apiVersion", API_VERSION), ("kind", kind)):
        if data.get(key, wanted) != wanted:
            why = f"this release reads {wanted} here"
            raise UsageError(f"unknown-{key.removeprefix('api').lower()}", f"{key}: {data[key]!s:.60}", why, f"write {wanted}")
    metadata, spec, status = (_part(data, key) for key in ("metadata", "spec", "status"))
    for key in metadata:
        if key not in _METADATA and not of_server:
            raise unknown("unknown-key", key, _METADATA, "metadata")
    return Envelope(metadata, spec, status)


def fields_of(data: object, kind: str, noun: str) -> dict[str, Any]:
    """The fields of spec and the name, whether an envelope is around them or not. noun: what it is, for people. Raises as `opened`."""
    if not isinstance(data, Mapping):
        raise bad_type(data, noun, "the top", f"start with apiVersion: {API_VERSION}")
    if not has_envelope(data):
        return {key: value for key, value in data.items() if key != "status"}
    found = opened(data, kind)
    if "name" in found.spec:
        raise UsageError("unknown-key", "spec: 'name' is not a key of spec", "", "the name belongs to metadata.name")
    return {**found.spec, **({"name": found.metadata["name"]} if "name" in found.metadata else {})}


def items_of(document: object) -> Iterable[object]:
    """The objects of a document: one, a list of them, or a Kubernetes List."""
    if isinstance(document, Mapping) and document.get("kind") == "List" and isinstance(document.get("items"), list):
        return list(document["items"])
    return document if isinstance(document, list) else [document]


def _part(data: Mapping[str, Any], key: str) -> Mapping[str, Any]:
    part = data.get(key)
    if part is not None and not isinstance(part, Mapping):
        raise bad_type(part, "a mapping", key)
    return part or {}


__all__ = [
    "API_VERSION", "MOST_CHARACTERS", "MOST_DEPTH", "MOST_VALUES", "Envelope", "fields_of", "has_envelope", "items_of", "opened",
    "parse", "parse_json", "parse_one", "parse_yaml", "too_deep", "too_large", "without_repeats",
]  # fmt: skip
