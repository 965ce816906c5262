from __future__ import annotations

import re
from pathlib import Path

from netweather import targets
from netweather.targets._failures import CODES, nearest, needs_root, unknown_target

SOURCES = Path(targets.__file__).parent


def test_every_code_has_a_title_and_is_used() -> None:
    text = "".join(path.read_text() for path in SOURCES.rglob("*.py") if path.name != "_failures.py")
    text += Path(SOURCES, "_failures.py").read_text().partition('"""Every code')[2]
    raised = set(re.findall(r'(?:NetweatherError|UsageError)\(\s*"([a-z-]+)"', text))
    of_engines = {f"{engine}-{kind}" for engine in ("docker", "podman") for kind in ("unreachable", "failed", "host-unsupported")}
    assert raised | of_engines == set(CODES)


def test_the_nearest_names_contain_or_resemble_the_word() -> None:
    names = ["shop-api", "shop-db", "Mail", "queue"]
    assert nearest("shop-ap", names) == ["shop-api", "shop-db"]
    assert nearest("mial", names) == ["Mail"]
    assert nearest("shop", names, 1) == ["shop-db"]
    assert nearest("zzz", names) == []
    assert nearest("", names) == []
    assert nearest("x", []) == []


def test_an_unknown_target_names_what_there_is() -> None:
    assert unknown_target("w", "aap", ["api"], "containers", "r").why == "similar containers: api"
    assert unknown_target("w", "zz", ["b", "a"], "containers", "r").why == "containers: a, b"
    assert unknown_target("w", "zz", "abcdefgh", "containers", "r").why == "containers: a, b, c, d, e, f, …"
    assert unknown_target("w", "zz", [], "containers", "r").why == "no containers exist"


def test_who_is_not_root_is_told_of_root_and_of_the_agent() -> None:
    remedy = needs_root("what", "why").remedy
    assert "sudo" in remedy
    assert "NETWEATHER_AGENT" in remedy
