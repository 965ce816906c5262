"""A YAML text to plain data, by YAML 1.2's core rules and stricter; PyYAML is imported only here, when first used.

YAML 1.1, which PyYAML reads by itself, takes `on` and `no` for booleans, `10:20` for 620 and `022` for 18. Here they are texts,
and so are numbers with a point, because the language has no floats. A key that stands twice is an error, and so is a merge key.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from netweather.errors import UsageError


def parse_yaml(text: str) -> list[Any]:
    """The documents of a YAML text; empty ones are left out. Raises UsageError bad-yaml or duplicate-key."""
    import yaml

    try:
        return [document for document in yaml.load_all(text, Loader=_loader()) if document is not None]
    except yaml.YAMLError as error:
        why = " ".join(str(error).split())[:300]
        raise UsageError("bad-yaml", "the text is not YAML", why, "check the indentation at that line") from error
    except RecursionError as error:
        raise UsageError("bad-yaml", "the text is nested too deep", "", "flatten it") from error


def dump_yaml_text(documents: list[Any]) -> str:
    """YAML text of plain data: keys in their order, lists on lines of their own."""
    import yaml

    return yaml.dump_all(documents, Dumper=_dumper(), sort_keys=False, default_flow_style=False, allow_unicode=True, width=120)


@cache
def _loader() -> Any:
    import yaml

    class Loader(yaml.SafeLoader):
        def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
            plain: dict[Any, Any] = {}
            for key_node, value_node in node.value:
                key = self.construct_object(key_node, deep=True)
                line = key_node.start_mark.line + 1
                if not isinstance(key, str):
                    raise UsageError("bad-yaml", f"line {line}: a key is not a text", "", "put it in quotes")
                if key in plain:
                    what = f"line {line}: the key {key!r} stands twice"
                    raise UsageError("duplicate-key", what, "only one can hold", "leave one out")
                plain[key] = self.construct_object(value_node, deep=deep)
            return plain

    Loader.yaml_implicit_resolvers = {}

    def construct_map(loader: Any, node: Any) -> Any:
        return loader.construct_mapping(node, deep=True)

    Loader.add_constructor("tag:yaml.org,2002:map", construct_map)
    _add_core_resolvers(Loader)
    return Loader


@cache
def _dumper() -> Any:
    import yaml

    class Dumper(yaml.SafeDumper):
        """Quotes by YAML 1.1's rules, so that a 1.1 reader gets the same."""

        def ignore_aliases(self, data: Any) -> bool:
            return True

    return Dumper


def _add_core_resolvers(loader: Any) -> None:
    for tag, pattern, first in (
        ("bool", r"true|false", "tf"),
        ("int", r"[-+]?(?:0|[1-9][0-9]{0,18})", "-+0123456789"),
        ("null", r"null|~|", ["n", "~", ""]),
    ):
        loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})\\Z"), list(first))
