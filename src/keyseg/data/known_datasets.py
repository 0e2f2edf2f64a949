"""Facts about the public data sets of action segmentation, with their sources; no data."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass, replace
from fractions import Fraction


@dataclass(frozen=True)
class DatasetFacts:
    """What is known of a data set before it is opened.

    classes: every class name, background included, in the usual order (ids come from mapping.txt, not from here).
    fps: annotation frames per second. sample_rate: annotation frames per step in published models. group_pattern:
    matches the start of a video name up to the subject; a split must not separate videos of one subject.
    """

    key: str
    title: str
    classes: tuple[str, ...]
    fps: Fraction
    sample_rate: int
    group_pattern: str
    homepage: str
    terms: str
    citation: str

    def group(self, name: str) -> str:
        """Subject of a video by its name, or the name itself if it does not match the pattern."""
        match = re.match(self.group_pattern, name)
        return match[0] if match else name


# Classes: the annotations of the MS-TCN release (Farha and Gall, CVPR 2019; Zenodo record 3625992).
GTEA = DatasetFacts(
    key="gtea",
    title="GTEA (Georgia Tech Egocentric Activities)",
    classes=("close", "fold", "open", "pour", "put", "scoop", "shake", "spread", "stir", "take", "background"),
    fps=Fraction(15),
    sample_rate=1,
    group_pattern=r"S\d+(?=_)",
    homepage="https://cbs.ic.gatech.edu/fpv/",
    terms="for research, with a citation of the paper; ask the authors for anything else",
    citation="A. Fathi, X. Ren, J. M. Rehg: Learning to Recognize Objects in Egocentric Activities. CVPR 2011",
)

_SALADS_ACTIONS = """
cut_tomato place_tomato_into_bowl cut_cheese place_cheese_into_bowl cut_lettuce place_lettuce_into_bowl add_salt
add_vinegar add_oil add_pepper mix_dressing peel_cucumber cut_cucumber place_cucumber_into_bowl add_dressing
mix_ingredients serve_salad_onto_plate
"""

SALADS = DatasetFacts(
    key="50salads",
    title="50Salads (19 classes)",
    classes=(*_SALADS_ACTIONS.split(), "action_start", "action_end"),
    fps=Fraction(30),
    sample_rate=2,  # MS-TCN: 30 fps features taken at 15 fps
    group_pattern=r"rgb-\d+(?=-)",
    homepage="https://cvip.computing.dundee.ac.uk/datasets/foodpreparation/50salads/",
    terms="Creative Commons Attribution-NonCommercial-ShareAlike 4.0, with a citation of the paper (homepage); research"
    " only",
    citation="S. Stein, S. J. McKenna: Combining Embedded Accelerometers with Computer Vision for Recognizing Food"
    " Preparation Activities. UbiComp 2013",
)

# The TCN release (Lea et al., CVPR 2017): every tenth frame of the 30 fps videos. Frames between actions are
# background; those before the first and after the last action are cut off.
SALADS_MID = replace(
    SALADS,
    key="50salads-mid",
    title='50Salads "mid" of the TCN release (18 classes, every tenth frame)',
    classes=("background", *sorted(_SALADS_ACTIONS.split())),
    fps=Fraction(3),
    sample_rate=1,
)

_BREAKFAST_CLASSES = """
SIL pour_cereals pour_milk stir_cereals take_bowl pour_coffee take_cup spoon_sugar stir_coffee pour_sugar pour_oil
crack_egg add_saltnpepper fry_egg take_plate put_egg2plate take_eggs butter_pan take_knife cut_orange squeeze_orange
pour_juice take_glass take_squeezer spoon_powder stir_milk spoon_flour stir_dough pour_dough2pan fry_pancake
put_pancake2plate pour_flour cut_fruit put_fruit2bowl peel_fruit stir_fruit cut_bun smear_butter take_topping
put_toppingOnTop put_bunTogether take_butter stir_egg pour_egg2pan stirfry_egg add_teabag pour_water stir_tea
"""

BREAKFAST = DatasetFacts(
    key="breakfast",
    title="Breakfast Actions",
    classes=tuple(_BREAKFAST_CLASSES.split()),
    fps=Fraction(15),
    sample_rate=1,
    group_pattern=r"P\d+(?=_)",
    homepage="https://serre-lab.clps.brown.edu/resource/breakfast-actions-dataset/",
    terms="see the homepage; with a citation of the paper",
    citation="H. Kuehne, A. Arslan, T. Serre: The Language of Actions: Recovering the Syntax and Semantics of"
    " Goal-Directed Human Activities. CVPR 2014",
)

DATASETS = {facts.key: facts for facts in (GTEA, SALADS, SALADS_MID, BREAKFAST)}


def identify(label_names: Iterable[str]) -> DatasetFacts | None:
    """The data set that has exactly these classes, in any order, or None."""
    names = frozenset(label_names)
    return next((facts for facts in DATASETS.values() if frozenset(facts.classes) == names), None)
