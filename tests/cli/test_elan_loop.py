"""The ELAN loop: init, train, predict, correct in the file as ELAN does, and init on old and new together."""

from __future__ import annotations

import json
import re
import shutil
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest

from keyseg.data.dataset_file import DatasetFile, read_dataset_file
from keyseg.formats import AnnotationOptions, read_annotations
from keyseg.formats.frame_labels import read_frame_labels
from moving_square import pictures

NAMES = ("ann_1", "ann_2", "bob_1", "bob_2")
OLD = """<?xml version="1.0" encoding="UTF-8"?>
<ANNOTATION_DOCUMENT FORMAT="3.0" VERSION="3.0">
<HEADER MEDIA_FILE="" TIME_UNITS="milliseconds">
<MEDIA_DESCRIPTOR MEDIA_URL="file:///D:/films/{0}.mp4" MIME_TYPE="video/mp4" RELATIVE_MEDIA_URL="../videos/{0}.mp4"/>
</HEADER>
<TIME_ORDER><TIME_SLOT TIME_SLOT_ID="ts1" TIME_VALUE="800"/><TIME_SLOT TIME_SLOT_ID="ts2" TIME_VALUE="2000"/>
<TIME_SLOT TIME_SLOT_ID="ts3" TIME_VALUE="2600"/><TIME_SLOT TIME_SLOT_ID="ts4" TIME_VALUE="3800"/></TIME_ORDER>
<TIER LINGUISTIC_TYPE_REF="lt" TIER_ID="right hand">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a1" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts2">
<ANNOTATION_VALUE>go right</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a2" TIME_SLOT_REF1="ts3" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>go left</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER>
<TIER LINGUISTIC_TYPE_REF="lt" TIER_ID="comments">
<ANNOTATION><ALIGNABLE_ANNOTATION ANNOTATION_ID="a3" TIME_SLOT_REF1="ts1" TIME_SLOT_REF2="ts4">
<ANNOTATION_VALUE>look again</ANNOTATION_VALUE></ALIGNABLE_ANNOTATION></ANNOTATION>
</TIER>
<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="lt" TIME_ALIGNABLE="true"/>
</ANNOTATION_DOCUMENT>
"""
# What ELAN adds to a file that it saves.
AFTER = """<LINGUISTIC_TYPE GRAPHIC_REFERENCES="false" LINGUISTIC_TYPE_ID="notes" TIME_ALIGNABLE="true"
  CONTROLLED_VOCABULARY_REF="hands"/>
<LOCALE COUNTRY_CODE="DE" LANGUAGE_CODE="de"/>
<LANGUAGE LANG_DEF="http://cdb.iso.org/lg/CDB-00130975-001" LANG_ID="und" LANG_LABEL="undetermined (und)"/>
<CONSTRAINT STEREOTYPE="Time_Subdivision" DESCRIPTION="Time subdivision of parent annotation's time interval"/>
<CONTROLLED_VOCABULARY CV_ID="hands"><DESCRIPTION LANG_REF="und"/>
<CV_ENTRY_ML CVE_ID="cveid_1"><CVE_VALUE LANG_REF="und" DESCRIPTION="">go right</CVE_VALUE></CV_ENTRY_ML>
</CONTROLLED_VOCABULARY>
"""


@pytest.fixture
def home(make_clip: Callable[..., Path], tmp_path: Path) -> Path:
    """videos/ of four recordings, annotations/ of all of them, and a new one in new/."""
    (tmp_path / "annotations").mkdir()
    for number, name in enumerate(NAMES):
        make_clip(tmp_path / "videos" / f"{name}.mp4", pictures(number))
        (tmp_path / "annotations" / f"{name}.eaf").write_text(OLD.format(name), encoding="utf-8")
    make_clip(tmp_path / "new" / "tea 1.mp4", pictures(4))
    return tmp_path


def corrected(path: Path) -> list[tuple[int, int, str]]:
    """Edit a prediction as ELAN saves it: other times, one annotation more, another tier; return what is right now."""
    root = ElementTree.fromstring(path.read_text(encoding="utf-8"))
    order, (tier, confidence) = root.find("TIME_ORDER"), root.findall("TIER")
    assert order is not None
    for parent in (tier, confidence):  # ELAN deletes what depends on an annotation with it
        for part in (*parent.findall("ANNOTATION"),):
            parent.remove(part)
    for slot in (*order,):
        order.remove(slot)
    right = [(700, 1900, "go right"), (1900, 2100, "wave"), (2500, 3700, "go left")]
    for number, (start, end, label) in enumerate(right):
        for side, time in enumerate((start, end)):
            slot = ElementTree.SubElement(order, "TIME_SLOT", TIME_SLOT_ID=f"ts{2 * number + side + 1}")
            slot.set("TIME_VALUE", str(time))
        names = {f"TIME_SLOT_REF{side + 1}": f"ts{2 * number + side + 1}" for side in (1, 0)}
        annotation = ElementTree.SubElement(tier, "ANNOTATION")
        item = ElementTree.SubElement(annotation, "ALIGNABLE_ANNOTATION", names | {"ANNOTATION_ID": f"a{number + 1}"})
        ElementTree.SubElement(item, "ANNOTATION_VALUE").text = label
    text = ElementTree.tostring(root, encoding="unicode")
    empty = '<TIER TIER_ID="comments" PARTICIPANT="x" LINGUISTIC_TYPE_REF="notes" DEFAULT_LOCALE="de"/>'
    text = text.replace("</TIER>", f"</TIER>{empty}", 1).replace(
        "</ANNOTATION_DOCUMENT>", f"{AFTER}</ANNOTATION_DOCUMENT>"
    )
    path.write_text(f'<?xml version="1.0" encoding="UTF-8"?>\n{text}', encoding="utf-8", newline="\r\n")
    return right


def test_the_elan_loop(home: Path, keyseg: Any, options: tuple[str, ...]) -> None:
    base = ("--fps", 10, "--cache", home / "cache")
    films = ("--videos", home / "videos", "--annotations", home / "annotations")
    answer = keyseg("init", home / "data", *films, *base)
    assert "several tiers: 'right hand', 'comments'; choose one with --tier" in answer.err
    answer = keyseg("init", home / "data", *films, *base, "--tier", "right hand", "--tier", "actions")
    assert answer.code == 0, answer.err
    assert (home / "data" / "dataset.yaml").read_text() == "background:\n- background\nfps: 10\ntier: right hand\n"
    assert keyseg("check", home / "data").code == 0
    # What a recipe sets is not chosen; this cuts often, so that there are enough segments to learn confidence.
    rules = ("--set", "rules.keep_threshold=0.3", "--set", "augmentation.mixed_segments=0.3")
    assert keyseg("train", home / "data", "--out", home / "run", *options, *rules).code == 0
    bundle = home / "run" / "split1" / "seed0" / "bundle"
    assert json.loads((bundle / "config.json").read_text())["tier"] == "right hand"

    out = home / "timelines"
    assert keyseg("predict", bundle, home / "new", "--out", out, "--cache", home / "cache", "--format", "eaf").code == 0
    text = (out / "tea 1.eaf").read_text(encoding="utf-8")
    assert 'RELATIVE_MEDIA_URL="../new/tea 1.mp4"' in text
    assert f'MEDIA_URL="file:///{(home / "new" / "tea 1.mp4").as_posix().lstrip("/")}"' in text
    assert re.findall('TIER_ID="([^"]*)"', text) == ["right hand", "right hand confidence"]
    (annotation,) = read_annotations(out / "tea 1.eaf", options=AnnotationOptions(tier=("right hand",)))
    assert (annotation.video, Path(annotation.media)) == ("tea 1", home / "new" / "tea 1.mp4")
    answer = keyseg(
        *("predict", bundle, home / "new", "--out", home / "other", "--cache", home / "cache"),
        *("--format", "eaf,textgrid,otio", "--tier", "left hand"),
    )
    assert answer.code == 0, answer.err
    for suffix in ("eaf", "TextGrid", "otio"):
        text = (home / "other" / f"tea 1.{suffix}").read_text(encoding="utf-8")
        assert '"left hand"' in text
        assert "right hand" not in text

    right = corrected(out / "tea 1.eaf")
    shutil.move(home / "new" / "tea 1.mp4", home / "videos")
    shutil.copy(out / "tea 1.eaf", home / "annotations")
    answer = keyseg("init", home / "second", *films, *base, "--tier", "right hand")
    assert answer.code == 0, answer.err
    wanted = ["background"] * 46
    for start, end, label in right:
        wanted[start // 100 : end // 100] = [label.replace(" ", "_")] * ((end - start) // 100)
    assert read_frame_labels(home / "second" / "groundTruth" / "tea 1.txt") == wanted
    assert len(list((home / "second" / "groundTruth").iterdir())) == 5


def test_a_data_set_states_its_rate_and_no_tier_without_one(home: Path, keyseg: Any) -> None:
    for name in NAMES:
        path = home / "annotations" / f"{name}.eaf"
        path.write_text(re.sub('<TIER[^>]*"comments".*?</TIER>', "", path.read_text(), flags=re.DOTALL))
    films = ("--videos", home / "videos", "--annotations", home / "annotations", "--fps", 10, "--cache", home / "cache")
    assert keyseg("init", home / "data", *films).code == 0
    assert read_dataset_file(home / "data") == DatasetFile(fps=Fraction(10), background=("background",))


def test_a_renamed_video_belongs_to_the_file_of_its_name(home: Path, keyseg: Any) -> None:
    stale = home / "annotations" / "ann_1.eaf"
    stale.write_text(stale.read_text().replace("ann_1.mp4", "MVI_0042.MP4"))
    (home / "annotations" / "bob_1.eaf").rename(home / "annotations" / "bob_1 corrected.eaf")
    films = ("--videos", home / "videos", "--annotations", home / "annotations", "--fps", 10, "--cache", home / "cache")
    answer = keyseg("init", home / "data", *films, "--tier", "right hand")
    assert answer.code == 0, answer.err
    assert f"note: {stale}: it links MVI_0042, which is not there, and is taken to be of the video" in answer.err
    assert {path.stem for path in (home / "data" / "groundTruth").iterdir()} == set(NAMES)
