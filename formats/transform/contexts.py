"""Contexts of a coefficient: what is known before it is decoded.

A magnitude is coded as binary decisions: decision 0 says that it is not 0, decision i that it is at least 2**i, up to
the first no; then come the bits below the highest. Each of the first kind is an opinion of several contexts, mixed
(:mod:`~eegzip.formats.transform.model`). Contexts are made of the magnitudes of neighbours that are known already: bins
before it in its block, bins around it in the two blocks before, the same bins of the components before.
"""

from __future__ import annotations

import numpy as np

from eegzip.formats.entropy.jit import inlined, jit

LEVELS = 24
BANDS = 28
CONTEXTS = 8
"""Opinions of a decision; layers of version 1.2 lack the last."""
SHARED = 6
"""Of them the first ones, which all components and bins share."""
BY_AVERAGE, BY_AVERAGE_TOO = 1, 3
"""Those that go by the average, too."""
OWN_BINS = 256
"""Bins of a component that have a context of their own; those above share the last."""
DECISIONS = 12
"""Decisions beyond share the last one's probabilities."""
LARGEST_NEIGHBOUR = 1 << 16
"""Neighbours count as no larger than this."""

_MARGIN = 2
_BLOCKS = 3
"""Whose magnitudes are kept, by turns: a block's own and those of the two before."""
_AVERAGE_SHIFT = 3

# Where the probabilities of contexts begin, in units of DECISIONS; those that grow with the components come last.
_PAIRS = LEVELS * LEVELS
_CORNERS = (SHARED - 1) * _PAIRS
BANDS_OF_COMPONENTS = _CORNERS + 768

_TABLE_SIZE = 1024


def _level_from(value: int, octave: int) -> int:
    while value >> (octave + 1):
        octave += 1
    return min(2 * octave + ((value >> (octave - 1)) & 1), LEVELS - 1)


_LEVELS = np.array([0, 1, *(_level_from(value, 1) for value in range(2, _TABLE_SIZE))], np.uint8)
_large_level = jit(_level_from)


@jit
def level(value: int) -> int:
    """A size on a scale of two steps an octave: 0, 1, 2, 3, then 4 for 4 and 5, 5 for 6 and 7... up to LEVELS - 1."""
    # Nearly all are small, and looked up.
    return int(_LEVELS[value]) if value < _TABLE_SIZE else _large_level(value, 10)


@jit
def band_of(place: int, bins: int) -> int:
    """The band of a bin: eight of width 1/256 of all bins, then four an octave."""
    place = 256 * place // bins
    if place < 8:
        return place
    octave = 3
    while place >> (octave + 1):
        octave += 1
    return 4 * octave - 4 + ((place >> (octave - 2)) & 3)


@jit
def bands_of(bins: int) -> np.ndarray:
    """The band of each bin."""
    result = np.zeros(bins, np.int64)
    for place in range(bins):
        result[place] = band_of(place, bins)
    return result


@jit
def new_neighbours(components: int, bins: int) -> tuple[np.ndarray, np.ndarray]:
    """Magnitudes of the last three blocks, with zeros around them, and running averages of all bins in 1/64."""
    known = np.zeros((components + _MARGIN, _BLOCKS, bins + 2 * _MARGIN), np.int32)
    averages = np.zeros((components, bins + 2 * _MARGIN), np.int32)
    return known, averages


@inlined
def surroundings(
    here: np.ndarray, before: np.ndarray, older: np.ndarray, first: np.ndarray, second: int, place: int
) -> int:
    """The level of what is near a coefficient.

    `here`, `before` and `older` are its own component's last three blocks, with zeros around them, `first` the block of
    the component before, `second` the magnitude at its place of the one before that.
    """
    near = 4 * here[place + 1] + 2 * here[place]
    past = 3 * before[place + 2] + 2 * (before[place + 1] + before[place + 3]) + before[place] + before[place + 4]
    old = 2 * older[place + 2] + older[place + 1] + older[place + 3]
    beside = 3 * first[place + 2] + first[place + 1] + first[place + 3]
    return level((near + past + old + beside + second) // 3)


@jit
def look(
    known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, band: int, found: np.ndarray
) -> int:
    """Fill in where the probabilities of a coefficient's contexts are; return what chooses the mixture's weights."""
    now, past_one, past_two = block % _BLOCKS, (block + 2) % _BLOCKS, (block + 1) % _BLOCKS
    here, before, older = known[component + 2, now], known[component + 2, past_one], known[component + 2, past_two]
    first, second = known[component + 1, now], known[component, now, place + 2]
    left, left2 = here[place + 1], here[place]
    past, past_sides = before[place + 2], before[place + 1] + before[place + 3]
    old, old_sides = older[place + 2], older[place + 1] + older[place + 3]
    beside, beside_sides = first[place + 2], first[place + 1] + first[place + 3]
    near = 2 * left + left2 + 2 * past + past_sides + old
    usual = usually(averages, component, place)
    around = surroundings(here, before, older, first, second, place)
    corner = (min(left, 3) * 4 + min(past, 3)) * 12 + min(left2, 2) * 4 + min(beside, 3)
    found[0] = level(4 * left + 2 * left2) * LEVELS + level(2 * past + past_sides)
    found[1] = _PAIRS + around * LEVELS + usual
    found[2] = 2 * _PAIRS + level(4 * beside + 2 * beside_sides) * LEVELS + level(3 * left + 2 * past + left2 + old)
    found[3] = 3 * _PAIRS + usual * LEVELS + level(near)
    found[4] = 4 * _PAIRS + level(4 * old + 2 * old_sides) * LEVELS + level(4 * second + 4 * beside)
    found[5] = _CORNERS + corner * 3 + min(before[place + 3], 2)
    for context in range(SHARED):
        found[context] *= DECISIONS
    look_at_place(averages.shape[0], component, place, band, found)
    return around


@jit
def look_at_place(components: int, component: int, place: int, band: int, found: np.ndarray) -> None:
    """Fill in where the probabilities of the contexts are that go by component, band and bin, not by neighbours."""
    found[SHARED] = (BANDS_OF_COMPONENTS + component * BANDS + band) * DECISIONS
    own = components * BANDS + component * OWN_BINS + min(place, OWN_BINS - 1)
    found[SHARED + 1] = (BANDS_OF_COMPONENTS + own) * DECISIONS


@jit
def look_at_nothing(found: np.ndarray) -> None:
    """Fill in the others' where all neighbours and averages are 0; :func:`look` would return 0."""
    for context in range(SHARED):
        found[context] = context * _PAIRS * DECISIONS


@jit
def look_at_averages(averages: np.ndarray, component: int, place: int, found: np.ndarray) -> None:
    """Fill in again those of them that go by averages."""
    usual = usually(averages, component, place)
    found[BY_AVERAGE] = (BY_AVERAGE * _PAIRS + usual) * DECISIONS
    found[BY_AVERAGE_TOO] = (BY_AVERAGE_TOO * _PAIRS + usual * LEVELS) * DECISIONS


@jit
def usually(averages: np.ndarray, component: int, place: int) -> int:
    """The level of what is usual at a bin and its neighbours."""
    return level(
        (2 * averages[component, place + 2] + averages[component, place + 1] + averages[component, place + 3]) >> 3
    )


@jit
def remember(known: np.ndarray, averages: np.ndarray, component: int, block: int, place: int, magnitude: int) -> None:
    """Take note of a magnitude, for the contexts of those to come."""
    kept = min(magnitude, LARGEST_NEIGHBOUR)
    known[component + 2, block % _BLOCKS, place + 2] = kept
    average(averages, component, place, kept)


@jit
def average(averages: np.ndarray, component: int, place: int, kept: int) -> None:
    """Let the average of a bin go on by a magnitude."""
    averages[component, place + 2] += ((kept << 6) - averages[component, place + 2]) >> _AVERAGE_SHIFT
