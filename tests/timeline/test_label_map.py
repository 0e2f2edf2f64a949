"""Class lists: names to ids and back, and files whose problems are reported by file and line."""

import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from keyseg.timeline import DataError, LabelMap, TimelineError

KITCHEN = LabelMap(("background", "take", "cut_tomato", "pour"), ("background",))
names = st.lists(st.text("abcdefg_éß", min_size=1, max_size=6), unique=True, min_size=1, max_size=12)


def write(folder, text):
    path = folder / "mapping.txt"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


@given(names, st.data())
def test_names_to_ids_to_names_is_the_identity(names, data):
    labels = LabelMap(tuple(names))
    some = data.draw(st.lists(st.sampled_from(names)))
    ids = labels.encode(some)
    assert ids.dtype == np.int64
    assert ids.tolist() == [names.index(name) for name in some] == [labels.id(name) for name in some]
    assert labels.decode(ids) == some
    assert len(labels) == len(names)


@given(names, st.randoms(use_true_random=False))
def test_lines_in_any_order_read_back(tmp_path_factory, names, random):
    lines = [f"{i} {name}\n" for i, name in enumerate(names)]
    random.shuffle(lines)
    assert LabelMap.read(write(tmp_path_factory.mktemp("labels"), "".join(lines))).names == tuple(names)


@pytest.mark.parametrize(
    "text",
    [
        "0 take\n1 put\n",
        "1 put\n0 take",
        "0 take\r\n1 put\r\n",
        b"\xef\xbb\xbf0 take\n1 put\n",
        b"\xef\xbb\xbf1 put\r\n0 take\r\n",
        "\n0\ttake  \n\n  1   put\n\n",
    ],
    ids=["plain", "other order", "CRLF", "BOM", "BOM and CRLF", "stray blanks"],
)
def test_the_file_may_be_written_in_many_ways(tmp_path, text):
    assert LabelMap.read(write(tmp_path, text)) == LabelMap(("take", "put"))


def test_names_may_have_any_letters(tmp_path):
    assert LabelMap.read(write(tmp_path, "0 schneiden_Käse\n1 切る\n")).names == ("schneiden_Käse", "切る")


@pytest.mark.parametrize(
    ("text", "line", "message"),
    [
        ("0 take\n0 put\n", 2, "id 0 is on line 1 already"),
        ("0 take\n\n00 put\n", 3, "id 0 is on line 1 already"),
        ("0 take\n1 cut tomato\n", 2, "expected 'id name', got '1 cut tomato'"),
        ("0 take\n1\n", 2, "expected 'id name', got '1'"),
        ("take 0\n", 1, "expected 'id name', got 'take 0'"),
        ("0 take\n-1 put\n", 2, "expected 'id name', got '-1 put'"),
        ("0 take\n1.0 put\n", 2, "expected 'id name', got '1.0 put'"),
        ("0 take\n² put\n", 2, "expected 'id name', got '² put'"),
        ("0 take\n1000000 put\n", 2, "expected 'id name', got '1000000 put'"),
        (f"0 take\n{'9' * 5000} put\n", 2, "expected 'id name', got '9999"),
        ("0 take\n1 take\n", 2, "class 'take' is on line 1 already"),
    ],
)
def test_a_bad_line_is_named(tmp_path, text, line, message):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=re.escape(f"{path}:{line}: {message}")):
        LabelMap.read(path)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("0 take\n2 put\n", "ids must be 0..C-1 without gaps; missing: 1"),
        ("1 take\n2 put\n", "ids must be 0..C-1 without gaps; missing: 0"),
        ("999999 take\n", "ids must be 0..C-1 without gaps; missing: 0, 1, 2, 3, 4, 5, 6, 7, 8, 9"),
        ("", "no classes in it; expected one 'id name' per line"),
    ],
)
def test_a_problem_of_the_whole_file_is_named(tmp_path, text, message):
    path = write(tmp_path, text)
    with pytest.raises(DataError, match=re.escape(f"{path}: {message}")):
        LabelMap.read(path)


def test_a_file_that_is_not_there_or_not_text(tmp_path):
    with pytest.raises(
        DataError, match=r"absent\.txt: cannot read it \(no such file\); it should hold one 'id name' per line"
    ):
        LabelMap.read(tmp_path / "absent.txt")
    with pytest.raises(DataError, match="cannot read it"):
        LabelMap.read(tmp_path)
    with pytest.raises(DataError, match="cannot read it"):
        LabelMap.read(write(tmp_path, b"0 \xff\xfe\n"))


@pytest.mark.parametrize(
    ("asked", "answer"),
    [("cut_tomatoes", "unknown class 'cut_tomatoes' (did you mean 'cut_tomato'?)"), ("xyz", "unknown class 'xyz'")],
)
def test_an_unknown_class_names_the_nearest(asked, answer):
    with pytest.raises(TimelineError, match=f"^{re.escape(answer)}$"):
        KITCHEN.id(asked)
    with pytest.raises(TimelineError, match=f"^{re.escape(answer)} at index 2$"):
        KITCHEN.encode(["take", "pour", asked, "also_unknown"])


@pytest.mark.parametrize("ids", [[0, 4], [1, -1]])
def test_an_id_outside_the_classes_is_refused(ids):
    with pytest.raises(TimelineError, match=rf"class ids are 0\.\.3, got {ids[1]} at index 1"):
        KITCHEN.decode(ids)


def test_nothing_encodes_and_decodes_to_nothing():
    assert KITCHEN.encode([]).shape == (0,)
    assert KITCHEN.encode([]).dtype == np.int64
    assert KITCHEN.decode([]) == []


def test_background_none_one_and_several():
    assert LabelMap(("a", "b")).background_ids == frozenset()
    assert KITCHEN.background_ids == {0}
    assert LabelMap(("start", "cut", "end"), ("end", "start")).background_ids == {0, 2}


def test_background_is_found_by_its_usual_name_when_read(tmp_path):
    with_one, without = "0 take\n1 background\n", "0 take\n1 SIL\n"
    assert LabelMap.read(write(tmp_path, with_one)).background_ids == {1}
    assert LabelMap.read(write(tmp_path, with_one), background=()).background_ids == frozenset()
    assert LabelMap.read(write(tmp_path, without)).background_ids == frozenset()
    assert LabelMap.read(write(tmp_path, without), background=("SIL", "take")).background_ids == {0, 1}


def test_a_background_that_is_no_class_names_the_nearest(tmp_path):
    path = write(tmp_path, "0 take\n1 background\n")
    message = f"{path}: background 'backgroud' is not a class (did you mean 'background'?)"
    with pytest.raises(DataError, match=re.escape(message)):
        LabelMap.read(path, background=("backgroud",))


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (("take", "put", "take"), "class names must differ, got take more than once"),
        (("take", ""), "class names must be non-empty and without white space, got ['']"),
        (("cut tomato",), "class names must be non-empty and without white space, got ['cut tomato']"),
    ],
)
def test_impossible_names_are_refused(names, message):
    with pytest.raises(TimelineError, match=re.escape(message)):
        LabelMap(names)


def test_label_maps_are_values():
    assert LabelMap(["take", "put"], ["put"]) == LabelMap(("take", "put"), ("put",))
    assert len({LabelMap(["take"]), LabelMap(("take",))}) == 1


def test_names_in_two_unicode_forms_are_one_class(tmp_path: Path) -> None:
    nfc, nfd = "caf\u00e9", "cafe\u0301"
    labels = LabelMap((nfd, "tea"), (nfc,))
    assert labels == LabelMap((nfc, "tea"), (nfd,))
    assert (labels.names, labels.background_ids) == ((nfc, "tea"), {0})
    assert labels.id(nfd) == labels.id(nfc) == 0
    assert labels.encode([nfd, nfc, "tea"]).tolist() == [0, 0, 1]
    with pytest.raises(TimelineError, match="more than once"):
        LabelMap((nfc, nfd))
    (tmp_path / "mapping.txt").write_text(f"0 {nfd}\n1 {nfc}\n", encoding="utf-8")
    with pytest.raises(DataError, match=r":2: class .* is on line 1 already"):
        LabelMap.read(tmp_path / "mapping.txt")
