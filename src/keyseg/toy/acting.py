"""The positions of hands, tools, lids and vessels in each frame of a toy video, moved along key positions.

Points are complex numbers, x + iy in pixels with y downward. Everything here follows from a script and a layout.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

import numpy as np

from keyseg.data.layout import BACKGROUND
from keyseg.toy.grammar import ScriptStep

# The tool of each action. What `take` takes follows from the next action. Cutting and stirring share a tool, and milk
# and oil come from one bottle, so that no single picture distinguishes them.
_TOOLS = {"cut": "spatula", "stir": "spatula", "pour_milk": "bottle", "pour_oil": "bottle", "spread": "jar"}
TOOLS = tuple(dict.fromkeys(_TOOLS.values()))
# Actions with a vessel that comes into the picture and leaves it again, so that other frames do not show it.
VESSELS = {"boil": "kettle", "toast": "toaster", "wash": "basin", "crack": "egg", "fry": "pan", "serve": "plate"}

# Where the right hand holds a tool, relative to the middle of the tool.
GRIPS = {"spatula": 9 + 17j, "bottle": 9 + 8j, "jar": 12 + 8j}
LID_HEIGHTS = {"bottle": 25, "jar": 16}
_LID_PUT_DOWN = 4 + 30j  # where a lid lies meanwhile, relative to the middle of its bottle or jar
_HAND_BELOW_LID = 4 + 9j
_OVER_BOARD = -26 - 30j  # the bottle while it pours, relative to the board
_POURING = 1.95  # its tilt then, in radians
_OUTSIDE = 300 + 120j  # where vessels come from
_HOLD = 16 + 16j  # the hand at a vessel, relative to the middle of the vessel
_REACHED = 0.4  # part of the way of a failed `take`, after which the hand turns back


class Layout:
    """The places of things in one video, and its tempo, drawn at random.

    right, left: the resting hands. board: where food lies. slots: where each tool is kept. stands: where each tool is
    while it is out of its slot. tempo: 1 on average, more for quicker hands.
    """

    def __init__(self, rng: np.random.Generator) -> None:
        def near(point: complex, reach: float) -> complex:
            return point + complex(*rng.uniform(-reach, reach, 2))

        rack, self.board = near(40 + 38j, 8), near(140 + 104j, 8)
        self.slots = {name: near(rack + 28 * i, 2) for i, name in enumerate(TOOLS)}
        stand = self.board - 58 - 10j
        self.stands = {"spatula": self.board - 4 - 6j, "bottle": stand, "jar": stand}
        self.right, self.left = near(196 + 146j, 8), near(62 + 150j, 8)
        self.tempo = float(rng.uniform(0.85, 1.2))


@dataclass(frozen=True)
class Pose:
    """Everything that moves, in one frame. Angles are in radians.

    turn: of the right hand. tool: the one out of its slot. lid: middle of an opened lid. spreading: whether the right
    hand holds a spatula that came out of the jar. phase: of steam, water and bread.
    """

    right: complex
    left: complex
    turn: float = 0.0
    tool: str | None = None
    tool_at: complex = 0j
    tilt: float = 0.0
    lid: complex | None = None
    lid_turn: float = 0.0
    spreading: bool = False
    vessel: str | None = None
    vessel_at: complex = 0j
    phase: float = 0.0


@dataclass(frozen=True)
class Act:
    """A script step as it is played: `frames` frames of `appearance`, with the state of the table meanwhile.

    tool: the one in use, or being taken or put. opened: whether its lid is off. begins: phase of repeated movements.
    shift: of the place. ends_early: a failed attempt. wanders: where a free hand goes in a pause. label: annotated.
    """

    appearance: str
    frames: int
    tool: str | None = None
    opened: bool = False
    begins: float = 0.0
    shift: complex = 0j
    ends_early: bool = False
    wanders: complex | None = None
    label: str = BACKGROUND


def plan(script: Sequence[ScriptStep], frames: Sequence[int], rng: np.random.Generator) -> tuple[Act, ...]:
    """Choose the tool and the place of each step of a script; frames: the length of each."""
    # For each step the tool of the next action that needs one; a failed cut does not count, since it comes before.
    needed: list[str | None] = []
    for step in reversed(script):
        needed.insert(0, _TOOLS.get(step.label, needed[0] if needed else None))
    tool, opened, acts = None, False, []
    for step, length, upcoming in zip(script, frames, needed, strict=True):
        name, ends_early = step.appearance, step.label == BACKGROUND and step.appearance == "take"
        act = Act(
            name,
            length,
            upcoming if name == "take" else tool,
            opened,
            begins=float(rng.uniform(0, 2 * math.pi)),
            shift=complex(*rng.uniform(-4, 4, 2)),
            ends_early=ends_early,
            # In half of the pauses the hand does not rest: it goes somewhere and comes back.
            wanders=complex(rng.uniform(70, 215), rng.uniform(55, 140)) if rng.random() < 0.5 else None,
            label=step.label,
        )
        acts.append(act)
        if not ends_early:
            tool = None if name == "put" else act.tool
        opened = (opened or name == "open") and name != "close"
    return tuple(acts)


def play(acts: Sequence[Act], layout: Layout, rng: np.random.Generator, fps: int) -> Iterator[Pose]:
    """The pose in each frame of a video, in order; hands are never quite still."""
    total = sum(act.frames for act in acts)
    sway = zip(_wandering(total, rng), _wandering(total, rng), strict=True)
    for act in acts:
        for i in range(act.frames):
            pose, (right, left) = pose_at(act, layout, (i + 0.5) / act.frames, i / fps), next(sway)
            yield replace(pose, right=pose.right + right, left=pose.left + left)


def pose_at(act: Act, layout: Layout, part: float, seconds: float) -> Pose:
    """The pose after a `part` of an act, from 0 to 1, which is `seconds` after its start."""
    name, phase = act.appearance, act.begins + 2 * math.pi * layout.tempo * seconds
    if name in VESSELS:
        return _with_vessel(act, layout, part, phase)
    if name in ("take", "put"):
        done = _REACHED * math.sin(math.pi * part) if act.ends_early else part if name == "take" else 1 - part
        return _carrying(act, layout, done)
    if act.tool is None:
        return Pose(along(part, (0, 0.5, 1), (layout.right, act.wanders or layout.right, layout.right)), layout.left)
    if name in ("open", "close"):
        return _turning_lid(act, layout, part if name == "open" else 1 - part)
    if name.startswith("pour"):
        return _pouring(act, layout, part, phase)
    return _working(act, layout, part, phase)


def along(part: float, times: Sequence[float], points: Sequence[complex]) -> complex:
    """The position of something that passes `points` at `times` (from 0 to 1) and slows down at each of them."""
    for start, end, here, there in zip(times[:-1], times[1:], points[:-1], points[1:], strict=True):
        if part <= end:
            share = (part - start) / (end - start)
            return here + share * share * (3 - 2 * share) * (there - here)
    return points[-1]


def _carrying(act: Act, layout: Layout, done: float) -> Pose:
    """`take` forward, `put` backward: to the slot with an empty hand, then with the tool to its place of use."""
    assert act.tool is not None
    slot, stand, grip = layout.slots[act.tool], layout.stands[act.tool], GRIPS[act.tool]
    hand = along(done, (0, 0.45, 1), (layout.right, slot + grip, stand + grip))
    held = done > 0.45
    lift = -10j * math.sin(math.pi * (done - 0.45) / 0.55) if held else 0
    return Pose(hand + lift, layout.left, tool=act.tool, tool_at=hand + lift - grip if held else slot)


def _standing(act: Act, layout: Layout) -> Pose:
    """The right hand at a tool that is out of its slot."""
    assert act.tool is not None
    stand = layout.stands[act.tool]
    lid = stand + _LID_PUT_DOWN if act.opened else None
    return Pose(stand + GRIPS[act.tool], layout.left, tool=act.tool, tool_at=stand, lid=lid)


def _turning_lid(act: Act, layout: Layout, done: float) -> Pose:
    """`open` forward, `close` backward: the hand goes to the lid, turns it, lifts it off and puts it down."""
    pose = _standing(act, layout)
    assert act.tool is not None
    on, off = pose.tool_at - 1j * LID_HEIGHTS[act.tool], pose.tool_at + _LID_PUT_DOWN
    lid = along(done, (0, 0.6, 0.9, 1), (on, on, off, off))
    above, grip = _HAND_BELOW_LID, pose.right
    hand = along(done, (0, 0.15, 0.6, 0.9, 1), (grip, on + above, on + above, off + above, grip))
    turned = along(done, (0, 0.15, 0.6, 1), (0, 0, 1, 1)).real
    swing = along(done, (0, 0.15, 0.6, 0.9, 1), (0, -0.8, 0.8, 0, 0)).real
    sideways = 5 * math.sin(math.pi * min(max((done - 0.15) / 0.45, 0), 1) * 2)
    return replace(pose, right=hand + sideways, turn=swing, lid=lid, lid_turn=3 * turned)


def _pouring(act: Act, layout: Layout, part: float, phase: float) -> Pose:
    pose = _standing(act, layout)
    raised = along(part, (0, 0.25, 0.75, 1), (0, 1, 1, 0)).real
    over = layout.board + _OVER_BOARD + act.shift
    at = pose.tool_at + raised * (over - pose.tool_at) + raised * 2 * math.sin(0.8 * phase)
    hand = at + (pose.right - pose.tool_at) * (1 - raised) + raised * (-8 + 12j)
    return replace(pose, right=hand, tool_at=at, tilt=raised * (_POURING + 0.12 * math.sin(1.1 * phase)))


def _working(act: Act, layout: Layout, part: float, phase: float) -> Pose:
    """Repeated movements: `stir` in circles, `cut` up and down, `spread` to the left and right; otherwise a pause."""
    pose = _standing(act, layout)
    fade = along(part, (0, 0.15, 0.85, 1), (0, 1, 1, 0)).real
    moves = {
        "stir": 10 * complex(math.cos(phase), 0.7 * math.sin(phase)),
        "cut": 11j * math.sin(1.3 * phase),
        "spread": complex(13 * math.sin(0.9 * phase), 0),
    }
    if act.appearance == "spread":
        there = layout.stands["spatula"] + GRIPS["spatula"] + act.shift
        hand = pose.right + fade * (there - pose.right) + fade * moves["spread"]
        return replace(pose, right=hand, spreading=fade > 0.5)
    move = fade * (moves.get(act.appearance, 0) + act.shift)
    return replace(pose, right=pose.right + move, tool_at=pose.tool_at + (move if act.tool == "spatula" else 0))


def _with_vessel(act: Act, layout: Layout, part: float, phase: float) -> Pose:
    """A hand brings a vessel, does something with it, and takes it away."""
    place = layout.board + 22 - 4j + act.shift
    times, way = (0, 0.1, 0.28, 0.74, 0.9, 1), (_OUTSIDE, _OUTSIDE, place, place, _OUTSIDE, _OUTSIDE)
    at = along(part, times, way)
    fade = along(part, (0, 0.28, 0.36, 0.66, 0.74, 1), (0, 0, 1, 1, 0, 0)).real
    hand, left = along(part, times, (layout.right, *(point + _HOLD for point in way[1:-1]), layout.right)), layout.left
    beat, slow = math.sin(phase), math.sin(0.6 * phase)
    # How far the vessel moves with the hand on it, and how far the hand alone.
    both = {"boil": (2j, slow), "crack": (-9j, abs(beat)), "fry": (12, beat)}
    alone = {"toast": -8 + 12j * slow, "wash": -8 - 10j + 9 * beat, "serve": -14 - 26j + complex(12 * slow, 4 * beat)}
    reach, wave = both.get(act.appearance, (0, 0))
    at += fade * reach * wave
    hand += fade * reach * wave + fade * alone.get(act.appearance, 0)
    if act.appearance == "wash":
        left += fade * (place - 8 + 4j - 9 * beat - left)
    return Pose(hand, left, vessel=VESSELS[act.appearance], vessel_at=at, phase=phase * (fade > 0))


def _wandering(frames: int, rng: np.random.Generator) -> np.ndarray:
    """A slow random path around 0, (frames,) complex, about 2 pixels wide."""
    steps = rng.standard_normal((frames + 14, 2)) @ np.array([1, 1j])
    return 2.0 * np.convolve(steps, np.full(15, 1 / np.sqrt(15)), mode="valid") * 0.7
