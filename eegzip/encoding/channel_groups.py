"""Groups of signals that share a token stream."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from eegzip.codecs.channels import grouping
from eegzip.codecs.channels.vocabulary import style_name
from eegzip.codecs.checkpoints.config import ChannelCoding
from eegzip.encoding.options import CodecChoice
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
    config = choice.config
    if config.multichannel is None:
        return [SharedStream((index,), None) for index in coded]
    styles = grouping.styles_for(config, [signal.label for signal in signals])
    if config.adapters is None:
        return [SharedStream((index,), (styles[index],)) for index in coded]

    def divide(names: list[str]) -> list[tuple[int, ...]]:
        return [group.channels for group in grouping.grouping_for(config, names, choice.groups)]

    multichannel = config.multichannel
    groups = _divided(signals, coded, choice.groups, divide, multichannel.max_channels, multichannel.vocabulary)
    return [SharedStream(group, tuple(styles[index] for index in group)) for group in sorted(groups, key=min)]


def klt_parts(signals: Sequence[SignalHeader], coded: Sequence[int], choice: CodecChoice) -> list[tuple[int, ...]]:
    """Divide the signals that a network codes into those whose components are coded together.

    Parameters
    ----------
    signals, coded, choice
        As for :func:`share`.

    Returns
    -------
    list of tuple of int
        Parts of two signals or more of one rate; none with models that rotate no recording or have no prior (without
        one all frames have one depth), and with fixed scaling.

    Raises
    ------
    UsageError
        As :func:`share`.
    """
    multichannel = choice.config.multichannel
    if multichannel is None or choice.config.channel_coding is not ChannelCoding.KLT:
        return []
    if choice.config.prior is None or choice.steady:
        return []
    vocabulary = tuple(dict.fromkeys(style_name(signal.label) for signal in signals))

    def divide(names: list[str]) -> list[tuple[int, ...]]:
        if choice.groups != "manual":
            return grouping.make(choice.groups, names, multichannel.max_channels, _SEED, vocabulary=vocabulary)
        count = -(-len(names) // multichannel.max_channels)
        edges = [len(names) * place // count for place in range(count + 1)]
        return [tuple(range(low, high)) for low, high in itertools.pairwise(edges)]

    found = _divided(signals, coded, choice.groups, divide, multichannel.max_channels, vocabulary)
    return [part for part in sorted(found, key=min) if len(part) > 1]


def _divided(
    signals: Sequence[SignalHeader],
    coded: Sequence[int],
    how: str,
    divide: Callable[[list[str]], list[tuple[int, ...]]],
    limit: int,
    vocabulary: Sequence[str],
) -> list[tuple[int, ...]]:
    """Indices of coded signals in groups, of one rate each: as `divide` says of names, or a file of groups."""
    labels = [signal.label for signal in signals]
    groups: list[tuple[int, ...]] = []
    if how in grouping.KINDS:
        # Divided at each rate by itself: streams have one grid of frames.
        for part in _by_rate(signals, coded):
            groups += [tuple(part[place] for place in group) for group in divide([labels[i] for i in part])]
        return groups
    # A file may name signals that turn out to be kept exactly (a flat one, say), so it is read for all.
    ordinary = [signal.index for signal in signals if not signal.is_annotations]
    found = grouping.groups_from_file(how, [labels[i] for i in ordinary], limit, vocabulary=vocabulary)
    wanted = set(coded)
    for group in found:
        members = [ordinary[place] for place in group if ordinary[place] in wanted]
        if len(_by_rate(signals, members)) > 1:
            shown = ", ".join(labels[index] for index in members)
            raise UsageError(f"{how}: channels of different sample rates can't share tokens: {shown}.")
        groups += [tuple(members)] if members else []
    return groups


def _by_rate(signals: Sequence[SignalHeader], indices: Sequence[int]) -> list[list[int]]:
    """Indices of signals, apart for each number of samples a record."""
    parts: dict[int, list[int]] = {}
    for index in indices:
        parts.setdefault(signals[index].samples_per_record, []).append(index)
    return list(parts.values())
