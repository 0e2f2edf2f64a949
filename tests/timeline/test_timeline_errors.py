"""The exception tree: one base class to catch, exit codes for the command line, and hints at near names."""

import inspect
from time import process_time

import pytest

from keyseg.timeline import ConfigError, KeysegError, OutputExistsError, TimelineError, errors, nearest


def test_every_error_is_a_keyseg_error():
    ours = [member for _, member in inspect.getmembers(errors, inspect.isclass) if issubclass(member, Exception)]
    assert len(ours) >= 7
    assert all(issubclass(error, KeysegError) for error in ours)


def test_wrong_use_exits_with_2_and_wrong_data_with_1():
    wrong_use = {ConfigError, OutputExistsError}
    assert {error.exit_code for error in wrong_use} == {2}
    others = set(KeysegError.__subclasses__()) - wrong_use
    assert {error.exit_code for error in others} == {1}


def test_bad_values_are_value_errors_too():
    assert issubclass(TimelineError, ValueError)
    assert issubclass(ConfigError, ValueError)


@pytest.mark.parametrize(
    ("name", "known", "hint"),
    [
        ("tkae", ["take", "pour"], " (did you mean 'take'?)"),
        ("pour_milk", ["pour", "pour_milks", "take"], " (did you mean 'pour_milks'?)"),
        ("zzz", ["take", "pour"], ""),
        ("take", [], ""),
    ],
)
def test_nearest_names_the_closest_or_nothing(name, known, hint):
    assert nearest(name, known) == hint
    assert nearest(name, iter(known)) == hint


def test_names_of_thousands_of_letters_or_among_thousands_are_not_compared():
    before = process_time()
    assert nearest("ab" * 50_000, ["ab" * 50_000]) == ""
    assert nearest("abcdefghij" * 3, ("abcdefghi" * 3 + str(at) for at in range(200_000))) != ""
    assert nearest("take", ["x" * 41, "takes"]) == " (did you mean 'takes'?)"
    assert process_time() - before < 2
