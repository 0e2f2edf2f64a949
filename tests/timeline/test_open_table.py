"""Tables that packages add to: what is found, when it is imported, and who is named when it does not work."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from keyseg.timeline import ConfigError
from keyseg.timeline.open_table import OpenTable
from plug_in import install

GROUP = "keyseg.test"


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder that Python finds packages in."""
    monkeypatch.syspath_prepend(tmp_path)
    return tmp_path


def table(kind: type = int) -> OpenTable[int]:
    return OpenTable(GROUP, kind, {"one": 1})


def add(site: Path, package: str, module: str, text: str, *names: str) -> None:
    install(site, package, {GROUP: {name: f"{module}:{name.upper()}" for name in names}}, **{module: text})


def test_packages_add_entries_after_those_of_keyseg(site: Path) -> None:
    add(site, "more-numbers", "ot_more", "THREE = 3\nTEN = 10\n", "three", "ten")
    assert list(table()) == ["one", "ten", "three"]
    assert len(table()) == 3
    assert dict(table()) == {"one": 1, "ten": 10, "three": 3} == dict(table().usable())
    assert (table().get("ten"), table().get("two")) == (10, None)
    assert "three" in table()
    assert "two" not in table()
    assert [table().package(name) for name in ("one", "ten", "two")] == [None, "more-numbers 1.0", None]
    assert list(table().plug_ins()) == [("ten", "more-numbers 1.0", ""), ("three", "more-numbers 1.0", "")]
    with pytest.raises(KeyError):
        table()["two"]


def test_an_entry_is_imported_when_it_is_asked_for(site: Path) -> None:
    add(site, "lazy-numbers", "ot_lazy", "TWO = 2\n", "two")
    numbers = table()
    assert (list(numbers), "two" in numbers, numbers.package("two")) == (["one", "two"], True, "lazy-numbers 1.0")
    assert numbers["one"] == 1
    assert "ot_lazy" not in sys.modules
    assert numbers["two"] == 2
    assert "ot_lazy" in sys.modules


def test_names_of_keyseg_ask_no_package(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("keyseg.timeline.open_table._by_name", None)
    assert (table()["one"], table().get("one"), "one" in table(), table().package("one")) == (1, 1, True, None)
    with pytest.raises(TypeError):
        list(table())


@pytest.mark.parametrize(
    ("module", "text", "reason"),
    [
        ("ot_import", "import no_such_module\nTWO = 2\n", "ModuleNotFoundError: No module named 'no_such_module'"),
        ("ot_attribute", "TOW = 2\n", "AttributeError: module 'ot_attribute' has no attribute 'TWO'"),
        ("ot_raises", "raise RuntimeError('no licence')\n", "RuntimeError: no licence"),
        ("ot_type", "TWO = 'two'\n", "expected int, got str"),
    ],
)
def test_a_broken_entry_names_its_package_and_breaks_nothing_else(
    module: str, text: str, reason: str, site: Path
) -> None:
    add(site, "broken-numbers", module, text, "two")
    add(site, "other-numbers", f"{module}_other", "SIX = 6\n", "six")
    numbers = table()
    for _ in range(2):
        with pytest.raises(ConfigError) as caught:
            numbers["two"]
        place = f"'two' of broken-numbers 1.0 (entry point {module}:TWO of keyseg.test) cannot be used: {reason}; "
        assert str(caught.value).startswith(place)
        assert str(caught.value).endswith("update or uninstall that package, or report it to its author")
    assert dict(numbers.usable()) == {"one": 1, "six": 6}
    assert list(numbers) == ["one", "six", "two"]
    assert list(numbers.plug_ins()) == [
        ("six", "other-numbers 1.0", ""),
        ("two", "broken-numbers 1.0", str(caught.value)),
    ]


def test_a_name_of_keyseg_cannot_be_taken(site: Path) -> None:
    add(site, "greedy-numbers", "ot_greedy", "ONE = 11\n", "one")
    assert table()["one"] == 1
    assert dict(table()) == {"one": 1}
    ((name, package, problem),) = table().plug_ins()
    assert (name, package) == ("one", "greedy-numbers 1.0")
    assert "'one' of greedy-numbers 1.0 " in problem
    assert "keyseg itself has this name" in problem


def test_two_packages_cannot_share_a_name(site: Path) -> None:
    for package, module in (("second-two", "ot_second"), ("first-two", "ot_first")):
        add(site, package, module, "TWO = 2\n", "two")
    with pytest.raises(ConfigError, match=r"added by first-two 1.0 and second-two 1.0; uninstall all but one"):
        table()["two"]
    assert dict(table().usable()) == {"one": 1}
    assert [(name, package) for name, package, _ in table().plug_ins()] == [("two", "first-two 1.0 and second-two 1.0")]


NAMED = """
class Named:
    def __init__(self, name):
        self.name = name

TWO, SIX = Named("tow"), Named("six")
"""


def test_an_entry_has_the_name_of_its_entry_point(site: Path) -> None:
    add(site, "misnamed-numbers", "ot_named", NAMED, "two", "six")
    with pytest.raises(ConfigError, match=r"'two' of misnamed-numbers 1.0 .* its own name is 'tow'"):
        table(object)["two"]
    assert table(object)["six"].name == "six"  # type: ignore[attr-defined]


def test_packages_that_are_installed_later_are_found(site: Path, tmp_path_factory: pytest.TempPathFactory) -> None:
    assert list(table()) == ["one"]
    later = tmp_path_factory.mktemp("later")
    add(later, "late-numbers", "ot_late", "TWO = 2\n", "two")
    sys.path.insert(0, str(later))
    try:
        assert list(table()) == ["one", "two"]
    finally:
        sys.path.remove(str(later))
    assert list(table()) == ["one"]
