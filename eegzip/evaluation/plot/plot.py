"""Draws a page of a recording, with another over it."""

from __future__ import annotations

from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from eegzip.codecs.channels.vocabulary import style_name
from eegzip.evaluation.drawn import drawable, drawn, unit_of
from eegzip.evaluation.plot.figure import drawn_figure, format_of, save
from eegzip.evaluation.plot.source import Source
from eegzip.evaluation.plot.traces import Trace, montaged
from eegzip.evaluation.sides import refuse_other
from eegzip.formats.edf.label_patterns import matches
from eegzip.formats.errors import UsageError
from eegzip.formats.extras import require
from eegzip.formats.files import atomic_output, is_eegz, refuse_own_source
from eegzip.formats.remote.path import RemotePath
from eegzip.formats.remote.spooled import files_here, local_source, local_target, name_of, path_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from matplotlib.figure import Figure

    from eegzip.formats.edf import EdfHeader
    from eegzip.formats.eegz.keys import AnyKey

PAGE = 10.0
"""Seconds of a page, as EEG is read."""

_SAID = {"recorded": "as recorded", "bipolar": "double banana", "average": "against the average"}


def plot(
    source: str | Path,
    target: str | Path | None = None,
    *,
    compare: str | Path | None = None,
    start: float = 0.0,
    stop: float | None = None,
    channels: Sequence[str] | str | None = None,
    montage: str = "recorded",
    model: str | Path | None = None,
    device: str = "cpu",
    overwrite: bool = False,
    key: AnyKey | None = None,
) -> Figure:
    """Draw a page of a recording: traces below each other at one scale, negative up.

    The scale is chosen by the traces, and a bar shows it. A trace is moved so that its median is in the middle of its
    row; that of a recording compared with is moved by as much, so that a difference between the two stays one. Names
    of the files are shown; the patient's and the recording's fields and the date are not.

    Parameters
    ----------
    source : path-like or URL
        EDF, BDF or ``.eegz``; of the latter at a URL only what is drawn is fetched.
    target : path-like or URL, optional
        The picture to write, ``.png`` or ``.svg``; none is written by default.
    compare : path-like or URL, optional
        The same recording in another file, drawn over it.
    start, stop : float
        Seconds of recorded data (gaps don't count). `stop` defaults to ten seconds after `start`, or the end.
    channels : str or sequence of str, optional
        Labels, electrode names or shell patterns, in the order in which they are drawn; by default the EEG channels,
        or where there are none all, in the order of the 10-20 system.
    montage : {"recorded", "bipolar", "average"}
        As recorded; the longitudinal bipolar chains ("double banana"); against the average of all electrodes drawn.
    model : path-like, optional
        As for :func:`eegzip.decompress`.
    device : str
    overwrite : bool
        Replace an existing target.
    key : str, bytes or path-like, optional
        What opens files that are sealed; see :func:`eegzip.decompress`.

    Returns
    -------
    matplotlib.figure.Figure
        A notebook shows it.

    Raises
    ------
    EdfError, ContainerError, ModelError, SealedError
        A recording can't be read.
    BadInputError
        They are not of the same recording.
    UsageError
        There is no such channel or time, the channels don't allow the montage, the target is one of the inputs or
        has another ending, or matplotlib is not installed.
    OutputExistsError, OutputError
        The target exists, or can't be written.

    Examples
    --------
    >>> figure = eegzip.plot("night.edf", "page.png", compare="night.eegz", start=1, stop=4, montage="bipolar")
    """
    require("plot", "matplotlib", what="plots need")
    ending = None if target is None else format_of(Path(target))
    paths = [source] if compare is None else [source, compare]
    with ExitStack() as stack:
        sources = [_opened(stack, path, model, device, key) for path in paths]
        if target is None or ending is None:
            return _drawn(sources, start, stop, channels, montage)
        for path in paths:
            refuse_own_source(path, target)
        write, files = stack.enter_context(local_target(target, overwrite=overwrite)), files_here(*paths)
        origin = next(iter(files), None)
        file = stack.enter_context(atomic_output(write, overwrite=overwrite, source=origin, also=files[1:]))
        figure = _drawn(sources, start, stop, channels, montage)
        save(figure, file, ending)
    return figure


def _opened(
    stack: ExitStack, path: str | Path, model: str | Path | None, device: str, key: AnyKey | None
) -> Source:
    place = path_of(path)
    in_parts = place if isinstance(place, RemotePath) and is_eegz(place) else None
    read = in_parts or stack.enter_context(local_source(path))
    return stack.enter_context(Source(read, name_of(path), model, device, key))


def _drawn(
    sources: Sequence[Source], start: float, stop: float | None, channels: Sequence[str] | str | None, montage: str
) -> Figure:
    first = sources[0]
    if len(sources) > 1:
        refuse_other(first, sources[1])
    end = _end(first, start, stop)
    eeg = frozenset[int]().union(*(source.eeg for source in sources))
    chosen = drawn(first.header, eeg) if channels is None else _named(first, channels)
    if not chosen:
        raise UsageError(f"{first.path}: has no signals to draw.")
    read = [source.read(chosen, start, end) for source in sources]
    rows = [_row(first.header, index, *(values[row] for values in read)) for row, index in enumerate(chosen)]
    if not any(len(row.original) for row in rows):
        raise UsageError(f"{first.path}: there is no sample between {start:g} and {end:g} s.")
    names = [Path(source.path).name for source in sources]
    title = f"{names[0]}   {_SAID.get(montage, montage)}, negative up"
    return drawn_figure(montaged(rows, montage), title, names, start, end)


def _row(header: EdfHeader, index: int, original: np.ndarray, other: np.ndarray | None = None) -> Trace:
    signal = header.signals[index]
    return Trace(style_name(signal.label), unit_of(signal), header.sample_rate(index), original, other)


def _end(source: Source, start: float, stop: float | None) -> float:
    length = source.duration
    if length is None:
        raise UsageError(f"{source.path}: its data records have no duration, so there is no time to draw over.")
    end = min(start + PAGE, length) if stop is None else stop
    if not 0 <= start < end <= length:
        raise UsageError(f"{start:g} to {end:g} s is not within the {length:g} s of {source.path}.")
    return end


def _named(source: Source, channels: Sequence[str] | str) -> list[int]:
    """Signals that patterns name, in the order asked for; those of one pattern in the file's order."""
    header, there = source.header, drawable(source.header)
    chosen: list[int] = []
    for pattern in [channels] if isinstance(channels, str) else channels:
        found = [index for index in there if matches(pattern, header.signals[index].label)]
        if not found:
            labels = ", ".join(header.signals[index].label for index in there)
            raise UsageError(f"{source.path}: no channel matches '{pattern}'; it has: {labels}.")
        chosen += found
    return list(dict.fromkeys(chosen))
