"""The published schema of our JSON equals the code; it accepts what is written and refuses anything else."""

from __future__ import annotations

import json
from fractions import Fraction
from pathlib import Path

import pytest
from pydantic import ValidationError

from keyseg.formats import FORMATS, timeline_text
from keyseg.formats.timeline_json import SCHEMA, TimelineRecord, schema
from keyseg.timeline import LabelMap, Segmentation, TimeBase

DOCS = Path(__file__).parents[2] / "docs" / "formats.md"
LABELS = LabelMap(("take", "background"), ("background",))
TEXT = timeline_text(
    "json", "P03", Segmentation([0, 4, 9], [0, 1]), LABELS, TimeBase(Fraction(30000, 1001)), scores=(0.75, 0.5)
)


def test_the_schema_file_is_that_of_the_code() -> None:
    assert json.loads(SCHEMA.read_text(encoding="utf-8")) == schema()


def test_it_describes_every_key_that_is_written() -> None:
    content, described = json.loads(TEXT), schema()
    assert list(content) == list(described["properties"])
    assert list(content["segments"][0]) == list(described["$defs"]["SegmentRecord"]["properties"])
    assert all(facts["description"] for facts in described["properties"].values())


def test_it_accepts_what_is_written() -> None:
    record = TimelineRecord.model_validate_json(TEXT)
    assert record.model_dump() == json.loads(TEXT)


@pytest.mark.parametrize(
    "changes", [{"fps": "-1"}, {"fps": "1e9"}, {"frames": -1}, {"classes": ["a b"]}, {"more": 1}, {"segments": None}]
)
def test_it_refuses_anything_else(changes: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        TimelineRecord.model_validate_json(json.dumps(json.loads(TEXT) | changes))


def test_the_example_in_the_docs_is_valid() -> None:
    block = DOCS.read_text(encoding="utf-8").split("```json\n")[1].split("```")[0]
    record = TimelineRecord.model_validate_json(block)
    for segment in record.segments:
        assert segment.end_seconds == round(float(segment.end_frame / Fraction(record.fps)), 6)


def test_the_table_in_the_docs_is_that_of_the_code() -> None:
    lines = [line.split("|")[1:-1] for line in DOCS.read_text(encoding="utf-8").splitlines() if line.startswith("| `")]
    table = {cells[0].strip(" `"): [cell.strip() for cell in cells[1:]] for cells in lines}
    assert list(table) == list(FORMATS)
    for name, (suffix, _, _, _, several, overlaps, background, times) in table.items():
        form = FORMATS[name]
        assert suffix == form.suffix
        assert (several, overlaps) == ("yes" * form.several, "yes" * form.overlaps)
        assert background == ("class" if form.tiles else "gap")
        assert times.startswith("frames") == form.frames
