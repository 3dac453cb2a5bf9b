"""Grouping of channels that share a token stream: appendix A of the paper, and what it leaves open.

Decisions where the paper is silent:

* A group lists its channels in the order of the vocabulary, the "fixed channel ordering" of section 2.1.
* A channel is alone when the network could not tell it from another of its group: its name is not in the vocabulary
  (style 0), or an earlier channel of the recording has the same name.
* Random groups need places on the scalp, so channels without one (heart, eyes, bipolar ones...) are alone; they are
  not in the pool of which pivots and neighbours are drawn.
* Neighbours are drawn one after the other. The weights are those of the distance to the pivot, not to the
  neighbours drawn before; after each draw they are divided by the sum over the channels that are left.
* ``Exp(lambda = 3)`` is read as written, with lambda as the rate: the mean of X is 1/3, so 95 % of the sizes are 1
  (``1 - exp(-3)``), and 2 or more channels share tokens in 5 % of the groups. The paper's own remedy is to "scale X
  before rounding": at ``scale`` 9, X has a mean of 3.
* Manual groups: see :func:`manual_groups`.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eegzip.codecs.channels.group_file import read_groups
from eegzip.codecs.channels.neighbours import regions
from eegzip.codecs.channels.positions import unit_positions
from eegzip.codecs.channels.vocabulary import STANDARD_VOCABULARY, style_name, styles_of
from eegzip.formats.edf import normalise_channel_name
from eegzip.formats.errors import UsageError

if TYPE_CHECKING:
    from eegzip.codecs.checkpoints.config import ModelConfig

Groups = list[tuple[int, ...]]

KINDS = ("manual", "random", "single")

# Table 2 of the paper (epilepsy task), in names of today.
_TABLE_2 = (
    "F3 F4 F7 F8",
    "Fp1 Fp2 P3 P4",
    "T7 T8 P7 P8",
    "C3 C4 Cz",
    "O1 O2",
)
# Table 3 (abnormal EEG task).
_TABLE_3 = (
    "26 27 28 29",
    "30 31 32",
    "C3 C3P C4 C4P Cz",
    "Fp1 F3 F7 Fz",
    "F4 Fp2 F8",
    "T1 T2 T7 T8 P7",
    "O1 O2 Oz P8",
    "P3 P4 PG1 PG2 Pz",
    "EKG1 LOC ROC",
    "A1 A2 SP1 SP2",
)
# Names that Table 3 has and an ordinary cap has not.
_TABLE_3_ONLY = frozenset("26 27 28 29 30 31 32 C3P C4P T1 T2 PG1 PG2 SP1 SP2 EKG1 LOC ROC".casefold().split())
_MAX_OTHERS = 2
"""Known names outside a table up to which it still applies: with Table 2, Fz and Pz of the 10-20 set."""
_MAX_MISSING = 3
"""Names of Table 2 that may lack. Fewer electrodes, spread over the head, are better grouped by place."""


class _Channels:
    """Styles and places of channels, and which of them may share a group.

    Parameters
    ----------
    names, vocabulary : tuple of str

    Attributes
    ----------
    keys : list of str
        Names as they are compared.
    styles : list of int
    social : list of int
        Indices of the channels that may share a group, by style.
    """

    def __init__(self, names: tuple[str, ...], vocabulary: tuple[str, ...]) -> None:
        styles = styles_of(vocabulary)
        self.keys = [style_name(name).casefold() for name in names]
        self.styles = [
            styles.get(normalise_channel_name(name).casefold(), styles.get(key, 0))
            for name, key in zip(names, self.keys, strict=True)
        ]
        seen: set[int] = set()
        self.social: list[int] = []
        for index, style in enumerate(self.styles):
            if style and style not in seen:
                seen.add(style)
                self.social.append(index)
        self.social.sort(key=lambda index: self.styles[index])
        self._names = names

    @functools.cached_property
    def _places(self) -> dict[str, npt.NDArray[np.float64]]:
        # Looked up only where places decide.
        return unit_positions(self._names)

    @functools.cached_property
    def placed(self) -> list[int]:
        """Channels that may share a group and have a place on the scalp."""
        return [index for index in self.social if self._names[index] in self._places]

    @functools.cached_property
    def where(self) -> npt.NDArray[np.float64]:
        """The places of those, shape (placed, 3)."""
        return np.array([self._places[self._names[index]] for index in self.placed]).reshape(-1, 3)

    def arrange(self, groups: Sequence[Sequence[int]]) -> Groups:
        """Put groups in order, inside and among themselves, and add every channel that is in none, alone."""
        grouped = {index for group in groups for index in group}
        alone = [(index,) for index in range(len(self.keys)) if index not in grouped]
        inner = [tuple(sorted(group, key=lambda index: (self.styles[index], index))) for group in groups if group]
        return sorted([*inner, *alone], key=min)


@functools.lru_cache(maxsize=256)
def _cached_channels(names: tuple[str, ...], vocabulary: tuple[str, ...]) -> _Channels:
    return _Channels(names, vocabulary)


def _channels(names: Sequence[str], vocabulary: Sequence[str]) -> _Channels:
    """Training draws groups of the same channels at each step, so what names say is looked up once."""
    return _cached_channels(tuple(names), tuple(vocabulary))


def random_groups(
    names: Sequence[str],
    limit: int = 5,
    rng: np.random.Generator | None = None,
    *,
    rate: float = 3.0,
    scale: float = 1.0,
    tau: float = 1.0,
    vocabulary: Sequence[str] = STANDARD_VOCABULARY,
) -> Groups:
    """Draw groups as appendix A.1 says.

    Until the pool R of channels is empty: draw ``X ~ Exp(rate)`` and take ``s = min(limit, max(1, ceil(scale * X)),
    |R|)``; choose a pivot from R, each with equal chance; draw ``s - 1`` of the others without replacement with
    weights ``exp(-d / tau)``, where d is their chord distance to the pivot; take the group out of R.

    Parameters
    ----------
    names : sequence of str
        Names of the channels, as :func:`~eegzip.formats.edf.normalise_channel_name` gives them.
    limit : int
        Largest group; the paper's is 5.
    rng : numpy.random.Generator, optional
        A fresh one by default.
    rate, scale, tau : float
        As above. The module's text says what sizes they give.
    vocabulary : sequence of str
        Of the model.

    Returns
    -------
    list of tuple of int
        Indices into `names`; every channel is in exactly one group. Sorted by each group's first channel in the
        recording.
    """
    rng = np.random.default_rng() if rng is None else rng
    channels = _channels(names, vocabulary)
    rest = np.arange(len(channels.placed))
    groups = []
    while len(rest):
        # Clipped as a float: a long draw need not fit an integer.
        wanted = min(float(limit), max(1.0, np.ceil(scale * rng.exponential(1.0 / rate))))
        size = min(int(wanted), len(rest))
        pivot = rest[rng.integers(len(rest))]
        others = rest[rest != pivot]
        distances = np.linalg.norm(channels.where[others] - channels.where[pivot], axis=1)
        # The Gumbel trick: the largest of (logit + Gumbel noise) is a draw from the softmax, the next largest one from
        # the softmax over what is left, and so on; unlike divided weights it can't underflow.
        order = np.argsort(distances / tau - rng.gumbel(size=len(others)))[: size - 1]
        groups.append([channels.placed[index] for index in (pivot, *others[order])])
        rest = np.delete(others, order)
    return channels.arrange(groups)


def manual_groups(names: Sequence[str], limit: int = 5, *, vocabulary: Sequence[str] = STANDARD_VOCABULARY) -> Groups:
    """Group channels by fixed tables, or by place where no table fits.

    * **Table 3** (abnormal EEG) where a channel has a name of the Temple University recorder's inputs that ordinary
      caps lack (26 to 32, C3P, T1, PG1, SP1, EKG1, LOC...) and at most two channels of known name are not in the
      table.
    * **Table 2** (epilepsy) where at most three of its seventeen names are missing and at most two channels of known
      name are not in it: these are Fz and Pz of the 10-20 set, which the paper's table leaves out, and are alone.
    * Else **regions**: the electrodes are halved again and again, each time across the direction in which they are
      spread most, until there are ``ceil(n / limit)`` regions of neighbours. Either side of a cut gets electrodes in
      proportion to its regions, so the sizes differ by little and a cut between left and right is a fair one.

    In a table, channels of other names are alone; among regions, those without a place. A group that is larger than
    `limit` is split into consecutive parts of nearly equal size.

    Parameters
    ----------
    names, limit, vocabulary
        As in :func:`random_groups`.

    Returns
    -------
    list of tuple of int
        As of :func:`random_groups`.
    """
    channels = _channels(names, vocabulary)
    table = _fitting_table({channels.keys[index] for index in channels.social})
    if table is None:
        count = len(channels.placed)
        found = regions(channels.where, np.arange(count), max(1, math.ceil(count / limit)))
        return channels.arrange([[channels.placed[index] for index in region] for region in found])
    by_key = {channels.keys[index]: index for index in channels.social}
    groups = []
    for row in table:
        members = [by_key[key] for key in row.casefold().split() if key in by_key]
        members.sort(key=lambda index: channels.styles[index])
        parts = math.ceil(len(members) / limit)
        groups += [part.tolist() for part in np.array_split(members, parts)] if parts else []
    return channels.arrange(groups)


def _fitting_table(keys: set[str]) -> tuple[str, ...] | None:
    third = {key for row in _TABLE_3 for key in row.casefold().split()}
    if keys & _TABLE_3_ONLY and len(keys - third) <= _MAX_OTHERS:
        return _TABLE_3
    second = {key for row in _TABLE_2 for key in row.casefold().split()}
    if len(keys - second) <= _MAX_OTHERS and len(second - keys) <= _MAX_MISSING:
        return _TABLE_2
    return None


def channel_styles(names: Sequence[str], vocabulary: Sequence[str] = STANDARD_VOCABULARY) -> list[int]:
    """Return each channel's style, from 1; 0 where the vocabulary lacks its name."""
    return list(_channels(names, vocabulary).styles)


def single_groups(names: Sequence[str]) -> Groups:
    """Return groups of one channel each: the paper's "Single-Channel (DAC-MC)"."""
    return [(index,) for index in range(len(names))]


def groups_from_file(
    path: str | Path,
    names: Sequence[str],
    limit: int = 5,
    *,
    vocabulary: Sequence[str] = STANDARD_VOCABULARY,
    partial: bool = False,
) -> Groups:
    """Read groups that somebody wrote down.

    Parameters
    ----------
    path : path-like
        A text with a group a line, labels separated by commas (``#`` begins a comment), or JSON: a list of lists of
        labels. Labels are compared by the electrode they name: ``T3`` is ``EEG T7-REF``.
    names, limit, vocabulary
        As in :func:`random_groups`.
    partial
        Leave out labels that the recording lacks, as where recordings of several montages are trained on.

    Returns
    -------
    list of tuple of int
        As of :func:`random_groups`. Channels that the file does not name are alone.

    Raises
    ------
    UsageError
        The file can't be read or names a label that the recording lacks, a label twice, more than `limit` in a
        group, or one that the model has no style for beside others; the sentence names file and line.
    """
    channels = _channels(names, vocabulary)
    by_key: dict[str, int] = {}
    for index, key in enumerate(channels.keys):
        by_key.setdefault(key, index)
    lines: dict[int, str] = {}
    groups = []
    for place, labels in read_groups(path):
        if len(labels) > limit:
            raise UsageError(f"{place}: a group of {len(labels)} channels; the model takes at most {limit}: split it.")
        group = []
        for label in labels:
            index = by_key.get(style_name(label).casefold(), -1)
            if index < 0 and partial:
                continue
            if index < 0:
                raise UsageError(f"{place}: the recording has no channel '{label}'; it has: {', '.join(names)}.")
            if index in lines:
                raise UsageError(f"{place}: the channel '{label}' is in a group already ({lines[index]}).")
            if len(labels) > 1 and not channels.styles[index]:
                raise UsageError(
                    f"{place}: the model can't tell the channel '{label}' from others, as its vocabulary lacks the "
                    "name; put it on a line of its own."
                )
            lines[index] = place
            group.append(index)
        groups.append(group)
    return channels.arrange(groups)


def make(
    kind: str,
    names: Sequence[str],
    limit: int = 5,
    seed: int | Sequence[int] = 0,
    *,
    vocabulary: Sequence[str] = STANDARD_VOCABULARY,
) -> Groups:
    """Make groups of a kind: ``manual``, ``random``, ``single``, or the path of a file.

    Parameters
    ----------
    kind : str
    names, limit, vocabulary
        As in :func:`random_groups`.
    seed : int or sequence of int
        Of random groups: the same seed and names give the same groups.

    Raises
    ------
    UsageError
        As :func:`groups_from_file`.
    """
    if kind == "single":
        return single_groups(names)
    if kind == "manual":
        return manual_groups(names, limit, vocabulary=vocabulary)
    if kind == "random":
        return random_groups(names, limit, np.random.default_rng(seed), vocabulary=vocabulary)
    return groups_from_file(kind, names, limit, vocabulary=vocabulary)


@dataclass(frozen=True)
class ChannelGroup:
    """Channels that share a token stream.

    Attributes
    ----------
    channels : tuple of int
        Indices of labels, in the order that the network wants.
    styles : tuple of int
        One each a channel.
    """

    channels: tuple[int, ...]
    styles: tuple[int, ...]


def styles_for(config: ModelConfig, labels: Sequence[str]) -> list[int]:
    """Return the style by which a model's network knows each channel; 0 for all where it codes them alone."""
    adapters = config.adapters
    return [0] * len(labels) if adapters is None else channel_styles(labels, adapters.vocabulary)


def grouping_for(
    config: ModelConfig,
    labels: Sequence[str],
    how: str,
    rng: np.random.Generator | None = None,
    *,
    law: Mapping[str, float] | None = None,
    partial: bool = False,
) -> list[ChannelGroup]:
    """Return the groups in which a model codes channels, and the styles that its network needs of them.

    Parameters
    ----------
    config : ModelConfig
        Of the model. One that codes channels alone, or components of recordings, has groups of one whatever is asked.
    labels : sequence of str
    how : str
        As in :func:`make`.
    rng : numpy.random.Generator, optional
        Of random groups; by default the same labels give the same groups.
    law : mapping of str to float, optional
        ``rate``, ``scale`` and ``tau`` of random groups, as in :func:`random_groups`.
    partial : bool
        As in :func:`groups_from_file`.

    Raises
    ------
    UsageError
        As :func:`groups_from_file`.
    """
    adapters, styles = config.adapters, styles_for(config, labels)
    if adapters is None:
        found = single_groups(labels)
    elif how == "random":
        rng = rng or np.random.default_rng(0)
        found = random_groups(labels, adapters.max_channels, rng, vocabulary=adapters.vocabulary, **(law or {}))
    elif how in KINDS:
        found = make(how, labels, adapters.max_channels, vocabulary=adapters.vocabulary)
    else:
        limit = adapters.max_channels
        found = groups_from_file(how, labels, limit, vocabulary=adapters.vocabulary, partial=partial)
    return [ChannelGroup(group, tuple(styles[index] for index in group)) for group in found]
