"""tools/lock.py: names and versions in two parts, nothing of where they came from."""

from tools import lock


def test_the_base_the_build_and_all_extras_are_wanted() -> None:
    project = {
        "project": {"dependencies": ["a>=1"], "optional-dependencies": {"x": ["b"], "y": ["c", "d"]}},
        "build-system": {"requires": ["builder"]},
    }
    assert lock.base(project) == ["a>=1", "builder", "editables"]
    assert lock.wanted(project) == ["a>=1", "builder", "editables", "b", "c", "d"]


def test_the_lock_has_two_sorted_parts_and_says_how_it_was_made() -> None:
    needs = {
        "B": ["c_1>=1; python_version>'3'", "never; python_version<'3'", "later; extra == 'more'"],
        "a": ["B"],
        "c-1": [],
        "later": [],
    }
    plan = {
        "install": [
            {"metadata": {"name": name, "version": "1.0", "requires_dist": each}, "download_info": {"url": "x"}}
            for name, each in needs.items()
        ]
    }
    assert lock.render(plan, ["b"]).splitlines() == [
        "# Made by `make lock` from pyproject.toml; never edited by hand.",
        "# For the package and its build: all that `make demo` installs.",
        "b==1.0",
        "c-1==1.0",
        "# For the extras and the tests.",
        "a==1.0",
        "later==1.0",
    ]
    assert lock.needed(plan, ["a"]) == {"a", "b", "c-1"}
    assert lock.needed(plan, ["b[more]"]) == {"b", "c-1", "later"}
