"""Which signals of a recording share a token stream."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from eegzip.choice import CodecChoice
from eegzip.codecs import grouping
from eegzip.codecs.places import in_a_row, neighbour_groups, styles_of_group
from eegzip.codecs.vocabulary import STANDARD_VOCABULARY
from eegzip.formats.edf import SignalHeader
from eegzip.formats.errors import UsageError

# Of random groups: the same recording and options give the same file.
_SEED = 0


@dataclass(frozen=True)
class SharedStream:
    """Signals that become one token stream.

    Parameters
    ----------
    signals : tuple of int
        Indices into the recording's signals, in the order that the network wants.
    styles : tuple of int or None
        One each a signal; ``None`` where the network codes every channel alone.
    """

    signals: tuple[int, ...]
    styles: tuple[int, ...] | None


def share(signals: Sequence[SignalHeader], coded: Sequence[int], choice: CodecChoice) -> list[SharedStream]:
    """Divide the signals that a network codes into groups.

    Parameters
    ----------
    signals : sequence of SignalHeader
        All of the recording.
    coded : sequence of int
        Indices of those to be coded.
    choice : CodecChoice

    Returns
    -------
    list of SharedStream
        Every coded signal in exactly one, those of one stream with the same number of samples a record; sorted by
        their first signal.

    Raises
    ------
    UsageError
        A file of groups can't be read, does not fit the recording, or joins signals of different rates.
    """
    multichannel = choice.config.multichannel
    if multichannel is None:
        return [SharedStream((index,), None) for index in coded]
    labels = [signal.label for signal in signals]
    limit, by_place = multichannel.max_channels, multichannel.styles == "places"
    vocabulary = STANDARD_VOCABULARY if by_place else multichannel.vocabulary
    groups: list[tuple[int, ...]] = []
    if choice.groups in grouping.KINDS:
        # Divided at each rate by itself: streams have one grid of frames.
        for part in _by_rate(signals, coded):
            names = [labels[i] for i in part]
            if by_place and choice.groups == "manual":
                found = neighbour_groups(names, limit)
            else:
                found = grouping.make(choice.groups, names, limit, _SEED, vocabulary=vocabulary)
            groups += [tuple(part[place] for place in group) for group in found]
    else:
        # A file may name signals that turn out to be kept exactly (a flat one, say), so it is read for all.
        ordinary = [signal.index for signal in signals if not signal.is_annotations]
        found = grouping.groups_from_file(choice.groups, [labels[i] for i in ordinary], limit, vocabulary=vocabulary)
        wanted = set(coded)
        for group in found:
            members = [ordinary[place] for place in group if ordinary[place] in wanted]
            if len(_by_rate(signals, members)) > 1:
                shown = ", ".join(labels[index] for index in members)
                raise UsageError(f"{choice.groups}: channels of different sample rates can't share tokens: {shown}.")
            groups += [tuple(members)] if members else []
    if by_place:
        rows = [tuple(group[place] for place in in_a_row([labels[i] for i in group])) for group in groups]
        return [SharedStream(row, tuple(styles_of_group(len(row)))) for row in sorted(rows, key=min)]
    styles = dict(zip(coded, grouping.channel_styles([labels[i] for i in coded], vocabulary), strict=True))
    return [
        SharedStream(group, tuple(styles[index] for index in group)) for group in sorted(groups, key=min)
    ]


def _by_rate(signals: Sequence[SignalHeader], indices: Sequence[int]) -> list[list[int]]:
    """Indices of signals, apart for each number of samples a record."""
    parts: dict[int, list[int]] = {}
    for index in indices:
        parts.setdefault(signals[index].samples_per_record, []).append(index)
    return list(parts.values())
