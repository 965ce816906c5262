"""A YAML text to plain data, by YAML 1.2's core rules and stricter; PyYAML is imported only here, when first used.

YAML 1.1, which PyYAML reads by itself, takes `on` and `no` for booleans, `10:20` for 620 and `022` for 18. Here they are texts,
and so are numbers with a point unless they are asked for. A key that appears twice is an error, and so is a merge key; of the tags only
those of the core (map, seq, str, int, bool, null) are known. Not here: how much a document may hold (documents).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from functools import cache
from typing import Any, Final

from netweather.errors import UsageError

_CORE: Final = (
    ("bool", r"true|false", "tf"),
    ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", "-+0123456789"),
    ("null", r"null|~|", ["n", "~", ""]),
)
_FLOAT: Final = r"[-+]?(?:(?:\.[0-9]+|[0-9]+\.[0-9]*)(?:[eE][-+]?[0-9]+)?|[0-9]+[eE][-+]?[0-9]+)"
_TAG: Final = "tag:yaml.org,2002:"


def documents_of(
    text: str, floats: Callable[[str], object], most_depth: int, too_large: Callable[[str], UsageError]
) -> list[Any]:
    """The documents of a YAML text; empty ones are left out. floats, most_depth, too_large: as `documents` has them.

    Raises UsageError: bad-yaml, duplicate-key, and `too_large`.
    """
    import yaml

    try:
        loader = _loader()(text)
        loader.floats, loader.most_depth, loader.too_large = floats, most_depth, too_large
        found = []
        while loader.check_data():
            found.append(loader.get_data())
        return [document for document in found if document is not None]
    except (yaml.YAMLError, ValueError, OverflowError) as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError("bad-yaml", "the text is not YAML", why, "check the indentation in that line") from error
    except RecursionError as error:
        raise too_large(f"the document is nested deeper than {most_depth} levels") from error


def dump_yaml_text(documents: list[Any]) -> str:
    """YAML text of plain data: keys in their order, lists on lines of their own."""
    import yaml

    return yaml.dump_all(documents, Dumper=_dumper(), sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        floats: Callable[[str], object] = str
        most_depth = 0
        too_large: Callable[[str], UsageError]
        level = -1

        def compose_node(self, parent: Any, index: Any) -> Any:
            self.level += 1
            if self.level > self.most_depth:
                line = self.peek_event().start_mark.line + 1  # type: ignore[no-untyped-call]  # PyYAML has no types
                raise self.too_large(f"line {line}: the document is nested deeper than {self.most_depth} levels")
            try:
                return super().compose_node(parent, index)
            finally:
                self.level -= 1

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            plain: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = self.construct_object(key_node, deep=True)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    raise UsageError("bad-yaml", f"line {line}: a key is not a text", "", "put it in quotes")
                if key == "<<" and key_node.style is None:
                    raise UsageError(
                        "bad-yaml", f"line {line}: merge keys (<<) are not supported", "", "write the keys themselves"
                    )
                if key in plain:
                    what = f"line {line}: the key {key[:60]!r} appears twice"
                    raise UsageError("duplicate-key", what, "only one can apply", "remove one")
                plain[key] = self.construct_object(value_node, deep=deep)
            return plain

    _know_the_core_only(Loader)
    return Loader


def _know_the_core_only(loader: Any) -> None:
    """The core's tags, and how they are told from each other; a tag that a person wrote is held to the same form."""
    loader.yaml_implicit_resolvers = {}
    for tag, pattern, first in (*_CORE, ("float", _FLOAT, "-+.0123456789")):
        loader.add_implicit_resolver(f"{_TAG}{tag}", re.compile(f"(?:{pattern})\\Z"), list(first))
    inherited = loader.yaml_constructors
    loader.yaml_constructors = {None: inherited[None], f"{_TAG}str": inherited[f"{_TAG}str"]}
    patterns = {tag: re.compile(pattern) for tag, pattern, _ in _CORE} | {"float": re.compile(_FLOAT)}

    def scalar(tag: str, value: Callable[[Any, str], object]) -> Callable[[Any, Any], object]:
        def construct(self: Any, node: Any) -> object:
            text = self.construct_scalar(node)
            if not patterns[tag].fullmatch(text):
                line = node.start_mark.line + 1
                raise UsageError("bad-yaml", f"line {line}: {text[:60]!r} does not fit the tag {tag}", "", "leave the tag out")
            return value(self, text)

        return construct

    loader.add_constructor(f"{_TAG}map", lambda self, node: _nested(self, node, "mapping"))
    loader.add_constructor(f"{_TAG}seq", lambda self, node: _nested(self, node, "sequence"))
    loader.add_constructor(f"{_TAG}null", scalar("null", lambda self, text: None))
    loader.add_constructor(f"{_TAG}bool", scalar("bool", lambda self, text: text == "true"))
    loader.add_constructor(f"{_TAG}int", scalar("int", lambda self, text: int(text)))
    loader.add_constructor(f"{_TAG}float", scalar("float", lambda self, text: self.floats(text)))


def _nested(loader: Any, node: Any, kind: str) -> Any:
    return getattr(loader, f"construct_{kind}")(node, deep=True)


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes by YAML 1.1's rules, so that a 1.1 reader gets the same."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Dumper
