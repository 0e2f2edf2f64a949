"""The confidence of predicted segments in files: written, read back where a file is ours, and in no reader's way."""

import csv
import io
import json
import xml.etree.ElementTree as ET
from fractions import Fraction

import pytest

from keyseg.formats import AnnotationOptions, WriteSettings, annotations_text, read_annotations, timeline_text
from keyseg.formats.table_of_formats import FORMATS
from keyseg.timeline import Annotation, Interval, LabelMap, Segmentation, TimeBase

LABELS = LabelMap(("background", "cut", "pour"), ("background",))
EXAMPLE, SURE = Segmentation([0, 10, 25, 40, 50], [1, 0, 2, 1]), (0.87654, 0.5, 0.12345, 1.0)
ROUNDED = [0.877, 0.5, 0.123, 1.0]
TIMEBASE = TimeBase(Fraction(10))
WITHOUT_BACKGROUND = [ROUNDED[0], *ROUNDED[2:]]


def written(fmt, tmp_path, scores=SURE, **settings):
    """A file of the example."""
    text = timeline_text(fmt, "tea", EXAMPLE, LABELS, TIMEBASE, scores=scores, settings=WriteSettings(**settings))
    path = tmp_path / f"tea{FORMATS[fmt].suffix}"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def scores_in(path, **options):
    (annotation,) = read_annotations(path, options=AnnotationOptions(**options))
    return [interval.score for interval in annotation.intervals]


@pytest.mark.parametrize("fmt", ["csv", "tsv", "json"])
def test_our_files_bring_it_back(fmt, tmp_path):
    path = written(fmt, tmp_path)
    assert scores_in(path) == ROUNDED
    (annotation,) = read_annotations(path)
    other = "json" if fmt == "csv" else "csv"
    again = tmp_path / f"again.{other}"
    again.write_text(annotations_text(other, [annotation], WriteSettings()))
    assert scores_in(again) == ROUNDED
    assert scores_in(written(fmt, tmp_path, scores=None)) == [None] * 4


@pytest.mark.parametrize("fmt", ["labelstudio", "activitynet", "vtrace"])
def test_formats_of_others_bring_it_back_for_actions(fmt, tmp_path):
    assert scores_in(written(fmt, tmp_path)) == WITHOUT_BACKGROUND


@pytest.mark.parametrize("fmt", [name for name in FORMATS if name != "nwb"])
def test_it_changes_nothing_else(fmt, tmp_path):
    """What is read is the same with and without scores."""
    options = {"fps": Fraction(10)}
    with_scores = read_annotations(written(fmt, tmp_path), fmt, **options)
    assert with_scores == read_annotations(written(fmt, tmp_path, scores=None), fmt, **options)


def test_a_table_has_the_column_only_if_there_is_something_in_it(tmp_path):
    rows = list(csv.DictReader(io.StringIO(written("csv", tmp_path).read_text())))
    assert [row["confidence"] for row in rows] == ["0.877", "0.5", "0.123", "1.0"]
    assert "confidence" not in written("csv", tmp_path, scores=None).read_text()
    assert "confidence" not in written("json", tmp_path, scores=None).read_text()
    some = Annotation("tea", (Interval(0, 1, "cut", 0.5), Interval(1, 2, "pour")), Fraction(2), Fraction(10))
    none = Annotation("milk", (Interval(0, 2, "pour"),), Fraction(2), Fraction(10))
    table = list(csv.DictReader(io.StringIO(annotations_text("csv", [some, none], WriteSettings()))))
    assert [row["confidence"] for row in table] == ["0.5", "", ""]


def test_json_has_it_for_each_segment(tmp_path):
    segments = json.loads(written("json", tmp_path).read_text())["segments"]
    assert [segment["confidence"] for segment in segments] == ROUNDED


def test_the_score_of_a_task_is_the_mean_of_its_regions(tmp_path):
    (task,) = json.loads(written("labelstudio", tmp_path).read_text())
    assert task["predictions"][0]["score"] == round(sum(WITHOUT_BACKGROUND) / 3, 3)


def test_elan_has_a_tier_below_that_of_the_actions(tmp_path):
    path = written("eaf", tmp_path, tier="right hand")
    root = ET.parse(path).getroot()
    tiers = {tier.get("TIER_ID"): tier for tier in root.iter("TIER")}
    assert list(tiers) == ["right hand", "right hand confidence"]
    below = tiers["right hand confidence"]
    assert below.get("PARENT_REF") == "right hand"
    kinds = {kind.get("LINGUISTIC_TYPE_ID"): kind for kind in root.iter("LINGUISTIC_TYPE")}
    kind = kinds[below.get("LINGUISTIC_TYPE_REF")]
    assert (kind.get("CONSTRAINTS"), kind.get("TIME_ALIGNABLE")) == ("Symbolic_Association", "false")
    labels = {item.get("ANNOTATION_ID"): item[0].text for item in tiers["right hand"].iter("ALIGNABLE_ANNOTATION")}
    shown = [(labels[item.get("ANNOTATION_REF")], item[0].text) for item in below.iter("REF_ANNOTATION")]
    assert shown == [("cut", "0.877"), ("pour", "0.123"), ("cut", "1")]
    assert len(list(ET.parse(written("eaf", tmp_path, scores=None)).getroot().iter("TIER"))) == 1


@pytest.mark.parametrize("options", [{}, {"tier": ("actions",)}, {"per_subject": True}])
def test_readers_of_elan_pass_over_the_tier(options, tmp_path):
    (annotation,) = read_annotations(written("eaf", tmp_path), options=AnnotationOptions(**options))
    assert [interval.label for interval in annotation.intervals] == ["cut", "pour", "cut"]
