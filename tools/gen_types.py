"""Writes docs/reference/api.d.ts: the documents and operations of the agent's API as TypeScript types, from its OpenAPI.

python -m tools.gen_types          writes it
python -m tools.gen_types --check  exit 1 when it is stale
Not here: what documents contain (netweather.wire).
"""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Final, cast

from netweather.agent.api.http_app import make_app

ROOT: Final = Path(__file__).resolve().parent.parent
PAGE: Final = ROOT / "docs" / "reference" / "api.d.ts"
COMMAND: Final = "python -m tools.gen_types"
_PLAIN: Final = {"string": "string", "integer": "number", "number": "number", "boolean": "boolean", "null": "null"}


def api() -> dict[str, Any]:
    """The OpenAPI of the agent."""
    return make_app(cast(Any, SimpleNamespace(metrics=None))).openapi()


def page(document: dict[str, Any]) -> str:
    """The types of an OpenAPI document."""
    lines = [f"// Made by `{COMMAND}` from the agent's OpenAPI; change src/netweather/wire instead.", ""]
    for name, schema in document["components"]["schemas"].items():
        lines += [*_comment(schema, ""), f"export type {name} = {type_of(schema)};", ""]
    lines += [
        "/** Each operation: what it takes and what it answers. A failure answers with a `Problem`. */",
        "export interface Operations {",
    ]
    for path, methods in document["paths"].items():
        for method, operation in methods.items():
            lines.append(f"  {operation['operationId']}: {_operation(method, path, operation)};")
    return "\n".join([*lines, "}", ""])


def type_of(schema: dict[str, Any], indent: str = "") -> str:
    """The TypeScript of a schema."""
    if "$ref" in schema:
        return str(schema["$ref"].rpartition("/")[2])
    if "const" in schema:
        return json.dumps(schema["const"])
    if "enum" in schema:
        return " | ".join(json.dumps(each) for each in schema["enum"])
    if "properties" in schema:
        return _object(schema, indent)
    for key in ("anyOf", "oneOf"):
        if key in schema:
            return " | ".join(dict.fromkeys(type_of(each, indent) for each in schema[key]))
    if schema.get("type") == "array":
        inner = type_of(schema.get("items", {}), indent)
        return f"({inner})[]" if " " in inner else f"{inner}[]"
    if schema.get("type") == "object":
        more = schema.get("additionalProperties")
        return f"Record<string, {type_of(more, indent) if isinstance(more, dict) else 'unknown'}>"
    return _PLAIN.get(schema.get("type", ""), "unknown")


def _object(schema: dict[str, Any], indent: str) -> str:
    inside, required = indent + "  ", schema.get("required", [])
    lines = ["{"]
    for key, each in schema["properties"].items():
        lines += _comment(each, inside)
        lines.append(f"{inside}{key}{'' if key in required else '?'}: {type_of(each, inside)};")
    return "\n".join([*lines, f"{indent}}}"])


def _comment(schema: dict[str, Any], indent: str) -> Iterator[str]:
    text = " ".join(schema.get("description", "").split())
    if text:
        yield f"{indent}/** {text.replace('*/', '* /')} */"


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parts = [f"method: {json.dumps(method.upper())}", f"path: {json.dumps(path)}"]
    query = [each for each in operation.get("parameters", ()) if each["in"] == "query"]
    if query:
        named = (f"{each['name']}{'' if each.get('required') else '?'}: {type_of(each['schema'])}" for each in query)
        parts.append(f"query: {{ {'; '.join(named)} }}")
    if "requestBody" in operation:
        parts.append(f"body: {_content(operation['requestBody'])}")
    parts.append(f"answer: {_content(operation['responses']['200'])}")
    return f"{{ {'; '.join(parts)} }}"


def _content(body: dict[str, Any]) -> str:
    (content,) = body["content"].values()
    return type_of(content["schema"])


def main(arguments: list[str]) -> int:
    """Writes the page when it is stale; with --check only reports that."""
    made = page(api())
    if PAGE.exists() and PAGE.read_text(encoding="utf-8") == made:
        return 0
    if "--check" not in arguments:
        PAGE.write_text(made, encoding="utf-8")
    print(f"{PAGE.relative_to(ROOT)} {'is stale' if '--check' in arguments else 'written'}")
    return 1 if "--check" in arguments else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
