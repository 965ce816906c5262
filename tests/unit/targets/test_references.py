from __future__ import annotations

import importlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netweather.errors import UsageError
from netweather.targets.references import SCHEMES, Reference, available, bare_name, names_a_file, parse

ID = "1eba527837985263db1587f2cafe483a43bed389d3a70d8dd630446320ab02f7"


@pytest.mark.parametrize(
    ("text", "scheme", "rest"),
    [
        ("netns:db", "netns", "db"),
        ("netns:cni-7cd5f0e8", "netns", "cni-7cd5f0e8"),
        ("netns:/run/docker/netns/7cd5 f0", "netns", "/run/docker/netns/7cd5 f0"),
        ("pid:4711", "pid", "4711"),
        ("docker:shop-api", "docker", "shop-api"),
        ("docker:/shop-api", "docker", "/shop-api"),
        (f"docker:{ID}", "docker", ID),
        ("docker:label=tier=web", "docker", "label=tier=web"),
        ("docker:label=com.example/a=x:y=50%", "docker", "label=com.example/a=x:y=50%"),
        ("docker:label=empty=", "docker", "label=empty="),
        ("docker:label", "docker", "label"),
        ("compose:web", "compose", "web"),
        ("compose:shop/web.1", "compose", "shop/web.1"),
        ("podman:shop-api", "podman", "shop-api"),
        ("podman:label=tier=web", "podman", "label=tier=web"),
        ("pod:shop/api-0", "pod", "shop/api-0"),
        ("pod:kube-system/label=k8s-app=kube-dns", "pod", "kube-system/label=k8s-app=kube-dns"),
        ("cri:1eba52", "cri", "1eba52"),
        ("containerd:k8s.io/1eba52", "containerd", "k8s.io/1eba52"),
        ("containerd:default/label=app=web", "containerd", "default/label=app=web"),
        ("cri:label=app=web", "cri", "label=app=web"),
        ("host", "host", ""),
    ],
)
def test_a_reference_is_understood(text: str, scheme: str, rest: str) -> None:
    assert parse(text) == Reference(scheme, rest, text)


@pytest.mark.parametrize(
    ("text", "code", "says"),
    [
        ("shop-api", "scheme-missing", "docker:shop-api"),
        ("4711", "scheme-missing", "pid:4711"),
        ("/run/netns/db", "scheme-missing", "netns:/run/netns/db"),
        ("shop/web", "scheme-missing", "compose:shop/web"),
        ("docker", "scheme-missing", "docker:shop-api"),
        ("localhost", "scheme-missing", "write host"),
        ("198.51.100.3", "scheme-missing", "netweather targets"),
        ("a b", "scheme-missing", "netweather targets"),
        ("", "bad-target", "docker:NAME"),
        ("  ", "bad-target", "docker:NAME"),
        ("dokcer:shop-api", "unknown-scheme", "docker:shop-api"),
        ("Docker:shop-api", "unknown-scheme", "docker:shop-api"),
        ("container:shop-api", "unknown-scheme", "docker:shop-api"),
        ("ns:db", "unknown-scheme", "netns:db"),
        ("localhost:80", "unknown-scheme", "write host"),
        ("xyzzy:db", "unknown-scheme", "netweather targets"),
        (":db", "unknown-scheme", "netweather targets"),
        ("podman:label=tier", "bad-target", "podman:POD"),
        ("containerd:1eba52", "bad-target", "containerd:NAMESPACE/ID"),
        ("pod:api-0", "bad-target", "pod:NAMESPACE/NAME"),
        ("pod:shop/", "bad-target", "pod:NAMESPACE/NAME"),
        ("pod:shop/label=app", "bad-target", "pod:NAMESPACE/label=KEY=VALUE"),
        ("cri:label=app", "bad-target", "cri:ID"),
        ("k8s:shop/api-0", "unknown-scheme", "pod:shop/api-0"),
        ("docker:", "bad-target", "docker:label=KEY=VALUE"),
        ("docker:label=tier", "bad-target", "docker:label=KEY=VALUE"),
        ("docker:-x", "bad-target", "docker:NAME"),
        ("docker:../x", "bad-target", "docker:NAME"),
        ("docker:x\n", "bad-target", "docker:NAME"),
        ("pid:0", "bad-target", "pid:N"),
        ("pid:-1", "bad-target", "pid:N"),
        ("pid:self", "bad-target", "pid:N"),
        ("pid:\N{ARABIC-INDIC DIGIT ONE}", "bad-target", "pid:N"),
        ("netns:..", "bad-target", "netns:NAME"),
        ("netns:a/b", "bad-target", "netns:NAME"),
        ("compose:a/b/c", "bad-target", "compose:PROJECT/SERVICE"),
        ("host:", "bad-target", "the form is host"),
        ("host:x", "bad-target", "the form is host"),
    ],
)
def test_what_is_no_reference_says_what_to_write(text: str, code: str, says: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse(text)
    assert caught.value.code == code
    assert says in str(caught.value)
    assert caught.value.remedy


def outcome(text: str) -> Reference | UsageError:
    try:
        return parse(text)
    except UsageError as error:
        return error


@given(st.text(max_size=40) | st.from_regex(r"(netns|pid|docker|compose|host|pod|cri|x):.{0,20}", fullmatch=True))
def test_every_text_is_a_reference_or_a_usage_error(text: str) -> None:
    found = outcome(text)
    if isinstance(found, Reference):
        assert found.text == text
        assert text in (f"{found.scheme}:{found.rest}", "host")
    else:
        assert found.code in ("scheme-missing", "unknown-scheme", "bad-target")
        assert found.remedy


@given(st.text(max_size=20))
def test_a_suggestion_for_a_bare_name_is_a_reference(text: str) -> None:
    meant = bare_name(text)
    if meant is not None:
        parse(meant)


@pytest.mark.parametrize(
    ("text", "file"), [("netns:/a", True), (" netns:/a", True), ("netns:a", False), ("docker:/a", False), ("/a", False)]
)
def test_a_reference_with_a_path_names_a_file(text: str, file: bool) -> None:
    assert names_a_file(text) is file


def test_every_scheme_has_an_example_and_a_module() -> None:
    for scheme in SCHEMES:
        assert parse(scheme.example).scheme == scheme.name
        runtime = importlib.import_module(f"netweather.targets.runtimes.{scheme.module}").RUNTIME
        assert not scheme.ids or hasattr(runtime, "complete")
    assert [scheme.name for scheme in available()] == [
        "netns",
        "pid",
        "docker",
        "compose",
        "host",
        "podman",
        "pod",
        "cri",
        "containerd",
    ]
