"""The ways in which published evaluation programs differ, by name."""

from __future__ import annotations

from dataclasses import dataclass

from keyseg.timeline import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class ScoringProtocol:
    """How scores are computed where published programs disagree.

    ignored: class names left out of edit and F1 besides the given background. last_frame_short: the last segment ends
    one frame early in F1. per_video: accuracy and F1 are scored for each video and averaged, instead of pooled.
    """

    ignored: tuple[str, ...] = ()
    last_frame_short: bool = False
    per_video: bool = False


PROTOCOLS: dict[str, ScoringProtocol] = {
    # Farha & Gall, CVPR 2019: what most of the field reports.
    "ms-tcn": ScoringProtocol(),
    # The evaluation program published with MS-TCN++ (Li et al., TPAMI 2020).
    "ms-tcn2-eval": ScoringProtocol(last_frame_short=True),
    # Wang et al., ECCV 2020: their program leaves out what is no action on each data set: background on GTEA,
    # action_start and action_end on 50Salads, SIL on Breakfast. No data set has two of these, so one list does for all.
    "bcn": ScoringProtocol(ignored=("action_start", "action_end", "SIL")),
    # Lea et al., CVPR 2017.
    "tcn": ScoringProtocol(per_video=True),
}


def find_protocol(name: str) -> ScoringProtocol:
    """The protocol of that name. Raises ConfigError naming the nearest."""
    if name not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {name!r}{nearest(name, PROTOCOLS)}; there are {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
