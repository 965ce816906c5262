"""tools/lock.py: names and versions, nothing of where they came from."""

from tools import lock


def test_all_extras_are_wanted() -> None:
    project = {"project": {"dependencies": ["a>=1"], "optional-dependencies": {"x": ["b"], "y": ["c", "d"]}}}
    assert lock.wanted(project) == ["a>=1", "b", "c", "d"]


def test_the_lock_is_sorted_and_says_how_it_was_made() -> None:
    plan = {"install": [{"metadata": {"name": name, "version": "1.0"}, "download_info": {"url": "x"}} for name in ("B", "a")]}
    first, *packages = lock.render(plan).splitlines()
    assert "make lock" in first
    assert packages == ["a==1.0", "b==1.0"]
