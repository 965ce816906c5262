import re
from typing import Any

import jsonschema

from netweather.kubernetes.crds import condition_spec, crds, manifest, profile_spec
from tests.support.objects import DELAY, condition, profile
from tools.gen_docs import ROOT


def every(schema: Any) -> list[dict[str, Any]]:
    found = [schema] if isinstance(schema, dict) else []
    values = schema.values() if isinstance(schema, dict) else schema if isinstance(schema, list) else []
    return [*found, *(inner for value in values for inner in every(value))]


def test_the_file_is_as_it_would_be_written_now() -> None:
    assert (ROOT / "deploy" / "kubernetes" / "base" / "crds.yaml").read_text() == manifest(), "python -m tools.gen_docs"


def test_schemas_are_structural_and_leave_defaults_and_unknown_keys_to_the_operator() -> None:
    spec = condition_spec()
    assert spec["x-kubernetes-preserve-unknown-fields"] is True
    for each in every(spec):
        assert not {"oneOf", "default", "$ref"} & each.keys()
        assert each.get("additionalProperties") is not False
        assert "properties" not in each or each["type"] == "object"


def test_a_spec_of_the_tests_fits_and_one_of_wrong_types_does_not() -> None:
    fitting = condition(
        targets=[{"podSelector": {"matchLabels": {"app": "a"}}, "share": "50%"}], lease="untilDeleted", probes=True, verify=True
    )
    validator = jsonschema.Draft202012Validator(condition_spec())
    assert list(validator.iter_errors(fitting["spec"])) == []
    rules = [{"to": [{"service": 7}], "condition": {"delay": {"time": "soon"}}}]
    wrong = condition(lease="forever", targets=[], rules=rules, probes="yes")["spec"]
    paths = {error.json_path for error in validator.iter_errors(wrong)}
    assert paths == {"$.lease", "$.targets", "$.probes", "$.rules[0].to[0].service", "$.rules[0].condition.delay.time"}
    assert not validator.is_valid({"targets": [{"podSelector": {}}]})
    assert validator.is_valid({"targets": [{"podSelector": {}}], "rules": [{"condition": DELAY}]})


def test_a_profile_of_the_tests_fits_and_one_of_wrong_types_does_not() -> None:
    validator = jsonschema.Draft202012Validator(profile_spec())
    assert validator.is_valid(profile(title="x", up=DELAY, down={"loss": {"model": "random", "percent": "1%"}})["spec"])
    wrong = {"title": 7, "up": {"delay": {"time": "soon"}}}
    assert {error.json_path for error in validator.iter_errors(wrong)} == {"$.title", "$.up.delay.time"}
    assert not any({"default", "oneOf"} & each.keys() for each in every(profile_spec()))


def test_names_columns_and_the_status_subresource() -> None:
    by_kind = {each["spec"]["names"]["kind"]: each["spec"] for each in crds()}
    assert {kind: spec["scope"] for kind, spec in by_kind.items()} == {
        "NetworkCondition": "Namespaced",
        "NetworkProfile": "Cluster",
        "NodeConditions": "Cluster",
    }
    assert by_kind["NetworkProfile"]["names"]["shortNames"] == ["netprofile", "nwp"]
    assert by_kind["NetworkCondition"]["names"]["shortNames"] == ["netcond", "nwc"]
    for spec in by_kind.values():
        (version,) = spec["versions"]
        assert version["subresources"] == {"status": {}}
        assert all(re.match(r"\.(status|metadata|spec)\.", column["jsonPath"]) for column in version["additionalPrinterColumns"])
