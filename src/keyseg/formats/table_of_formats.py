"""All formats by the name that --format, --from and --to take."""

from __future__ import annotations

from keyseg.formats import (
    activitynet,
    audacity,
    boris,
    edl,
    elan,
    epic,
    frame_labels,
    label_studio,
    otio,
    rttm,
    subtitles,
    textgrid,
    timeline_json,
)
from keyseg.formats import segment_table as table
from keyseg.formats.format import Format

_FRAMES = {"frames": True, "tiles": True, "overlaps": False}

FORMATS: dict[str, Format] = {
    "txt": Format(
        "a label a line", ".txt", frame_labels.read, frame_labels.write_txt, frame_labels.looks_txt, **_FRAMES
    ),
    "recog": Format(
        "labels on one line",
        ".recog.txt",
        frame_labels.read,
        frame_labels.write_recog,
        frame_labels.looks_recog,
        **_FRAMES,
    ),
    "csv": Format("table of segments", ".csv", table.read, table.write_csv, table.looks_csv, several=True, **_FRAMES),
    "tsv": Format("table with tabs", ".tsv", table.read, table.write_tsv, table.looks_tsv, several=True, **_FRAMES),
    "json": Format("keyseg's JSON", ".json", timeline_json.read, timeline_json.write, timeline_json.looks, **_FRAMES),
    "activitynet": Format(
        "ActivityNet, THUMOS", ".activitynet.json", activitynet.read, activitynet.write, activitynet.looks, several=True
    ),
    "epic": Format("EPIC-KITCHENS", ".epic.csv", epic.read, epic.write, epic.looks, several=True),
    "vtt": Format("WebVTT", ".vtt", subtitles.read_vtt, subtitles.write_vtt, subtitles.looks_vtt),
    "srt": Format("SRT", ".srt", subtitles.read_srt, subtitles.write_srt, subtitles.looks_srt),
    "eaf": Format("ELAN", ".eaf", elan.read, elan.write, elan.looks, overlaps=False),
    "boris": Format("BORIS", ".boris.csv", boris.read, boris.write, boris.looks, several=True),
    "audacity": Format("Audacity labels", ".labels.txt", audacity.read, audacity.write, audacity.looks),
    "textgrid": Format("Praat", ".TextGrid", textgrid.read, textgrid.write, textgrid.looks, overlaps=False),
    "labelstudio": Format(
        *("Label Studio", ".labelstudio.json", label_studio.read, label_studio.write, label_studio.looks),
        several=True,
        frames=True,
        overlaps=False,
    ),
    "rttm": Format("RTTM", ".rttm", rttm.read, rttm.write, rttm.looks, several=True),
    "otio": Format("OpenTimelineIO", ".otio", otio.read, otio.write, otio.looks, frames=True, overlaps=False),
    "edl": Format("EDL, CMX 3600", ".edl", edl.read, edl.write, edl.looks, frames=True, overlaps=False),
}
