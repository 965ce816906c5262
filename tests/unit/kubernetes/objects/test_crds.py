import re
from typing import Any

import jsonschema

from netweather.kubernetes.objects.crds import condition_spec, crds, manifest, profile_spec, scenario_spec, spec_of_test
from tests.support.objects import DELAY, condition, network_test, profile, scenario
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


def test_a_test_s_conditions_are_those_of_a_network_condition_without_a_lease() -> None:
    validator = jsonschema.Draft202012Validator(spec_of_test())
    fitting = network_test(timeout="5m", maxSlowdown=2.5, parallelism=2, junit=True, mustPass=["perfect"], to=[{"service": "db"}])
    assert list(validator.iter_errors(fitting["spec"])) == []
    wrong = network_test(
        networks=[{"name": 7, "condition": {"rules": [{"condition": {"delay": {"time": "soon"}}}]}}], junit="yes"
    )
    paths = {error.json_path for error in validator.iter_errors(wrong["spec"])}
    assert paths == {"$.junit", "$.networks[0].name", "$.networks[0].condition.rules[0].condition.delay.time"}
    items = spec_of_test()["properties"]["networks"]["items"]["properties"]
    assert set(condition_spec()["properties"]) - set(items["condition"]["properties"]) == {"lease"}
    assert not {"oneOf", "default"} & {key for each in every(spec_of_test()) for key in each}


def test_a_scenario_of_the_tests_fits_and_one_of_wrong_types_does_not() -> None:
    validator = jsonschema.Draft202012Validator(scenario_spec())
    partition = {"at": "0s", "for": "5s", "partition": [[{"podSelector": {}}], [{"service": "db"}]]}
    ramp = {"at": "5s", "for": "5s", "to": [{"zone": "far"}], "condition": DELAY, "ramp": {"to": DELAY}}
    fitting = scenario(lease="untilDeleted", steps=[partition, ramp], repeat=3)["spec"]
    assert list(validator.iter_errors(fitting)) == []
    wrong = {"steps": [{"for": 5, "condition": {"delay": {"time": "soon"}}}], "repeat": 0, "lease": "forever"}
    assert {error.json_path for error in validator.iter_errors(wrong)} == {
        "$.steps[0]",
        "$.steps[0].for",
        "$.steps[0].condition.delay.time",
        "$.repeat",
        "$.lease",
    }
    assert not any({"default", "oneOf"} & each.keys() for each in every(scenario_spec()))


def test_names_columns_and_the_status_subresource() -> None:
    by_kind = {each["spec"]["names"]["kind"]: each["spec"] for each in crds()}
    assert {kind: spec["scope"] for kind, spec in by_kind.items()} == {
        "NetworkCondition": "Namespaced",
        "NetworkProfile": "Cluster",
        "NetworkScenario": "Namespaced",
        "NetworkTest": "Namespaced",
        "NodeConditions": "Cluster",
    }
    assert by_kind["NetworkProfile"]["names"]["shortNames"] == ["netprofile", "nwp"]
    assert by_kind["NetworkCondition"]["names"]["shortNames"] == ["netcond", "nwc"]
    assert by_kind["NetworkTest"]["names"]["shortNames"] == ["nettest", "nwt"]
    for spec in by_kind.values():
        (version,) = spec["versions"]
        assert version["subresources"] == {"status": {}}
        assert all(re.match(r"\.(status|metadata|spec)\.", column["jsonPath"]) for column in version["additionalPrinterColumns"])
