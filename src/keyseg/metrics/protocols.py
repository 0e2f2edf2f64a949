"""The ways in which published evaluation programs differ, by name."""

from __future__ import annotations

from dataclasses import dataclass

from keyseg.timeline import ConfigError, nearest


@dataclass(frozen=True, slots=True)
class ScoringProtocol:
    """How scores are computed where published programs disagree.

    ignored: class names left out of edit and F1 in addition to the given background. last_frame_short: in F1 the last
    segment ends one frame early. per_video: accuracy and F1 are averaged over videos instead of pooled.
    """

    ignored: tuple[str, ...] = ()
    last_frame_short: bool = False
    per_video: bool = False


PROTOCOLS: dict[str, ScoringProtocol] = {
    # Farha & Gall, CVPR 2019; used by most publications.
    "ms-tcn": ScoringProtocol(),
    # The evaluation program published with MS-TCN++ (Li et al., TPAMI 2020).
    "ms-tcn2-eval": ScoringProtocol(last_frame_short=True),
    # Wang et al., ECCV 2020: their program leaves out background on GTEA, action_start and action_end on 50Salads, and
    # SIL on Breakfast. No data set has two of these, so one list serves all.
    "bcn": ScoringProtocol(ignored=("action_start", "action_end", "SIL")),
    # Lea et al., CVPR 2017.
    "tcn": ScoringProtocol(per_video=True),
}


def find_protocol(name: str) -> ScoringProtocol:
    """The protocol of that name. Raises ConfigError suggesting the nearest."""
    if name not in PROTOCOLS:
        raise ConfigError(f"unknown protocol {name!r}{nearest(name, PROTOCOLS)}; choose from {', '.join(PROTOCOLS)}")
    return PROTOCOLS[name]
