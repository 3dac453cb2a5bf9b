"""A lazy reader: any seconds of any channels, tokens, annotations, without decoding the rest."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING

import numpy as np

from eegzip.codecs.checkpoints.priors import priors
from eegzip.decoding.memory import refuse_more_memory
from eegzip.decoding.recording_decoder import RecordingDecoder
from eegzip.decoding.selection import chosen_signals
from eegzip.decoding.stored_tokens import StoredNetwork
from eegzip.decoding.timeline import stored_timeline
from eegzip.formats.edf import Annotation, EdfHeader, Timeline
from eegzip.formats.eegz.edf_envelope import stored_edf_header
from eegzip.formats.eegz.keys import AnyKey, Key
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.token_stream import TokenStream, read_tokens
from eegzip.formats.errors import ContainerError, UsageError, naming_memory
from eegzip.formats.remote.spooled import Source, name_of, path_of
from eegzip.info import EegzInfo, eegz_info
from eegzip.notebook import card
from eegzip.reports import SIGNAL_HEADS, human_size, signal_reports, signal_rows

if TYPE_CHECKING:
    from pandas import DataFrame
    from xarray import DataArray


class Recording:
    """An open ``.eegz`` file, as :func:`eegzip.open` returns it.

    Threads may share it, and processes too, however they were started: a forked one reads the same open file, and one
    that gets it pickled opens the file again by its path.

    Parameters
    ----------
    path : path-like, URL, bytes or binary file
        The file. Of one at a URL, what is asked for is fetched in parts; see :doc:`/how-to/remote`.
    model : path-like, optional
        Checkpoint, where it is neither bundled nor cached.
    device : str
        Where waveforms are synthesised.
    alone : bool
        Decode every channel from its own tokens alone, as in :func:`eegzip.decompress`.
    key : str, bytes or path-like, optional
        What opens what is sealed: a pass phrase (a str), 32 bytes, or the file that holds 32 bytes. Where the identity
        is sealed, all else is read without a key.
    max_memory : int, optional
        Bytes of memory that a chunk may take to be decoded, as in :func:`eegzip.decompress`.

    Raises
    ------
    ContainerError
        It is not an ``.eegz`` file, or its header is damaged.
    SealedError
        It is sealed as a whole and there is no key, or the key does not open it.

    Examples
    --------
    >>> with eegzip.open("night.eegz") as recording:
    ...     microvolts = recording.read(["C3", "C4"], start=1, stop=3)
    >>> microvolts.shape
    (2, 1000)
    """

    def __init__(
        self,
        path: Source,
        *,
        model: str | Path | None = None,
        device: str = "cpu",
        alone: bool = False,
        key: AnyKey | None = None,
        max_memory: int | None = None,
    ) -> None:
        key = None if key is None else Key.of(key)
        # An absolute path, as a process that opens it again may work in another folder.
        place = path_of(path)
        self._how = (place.absolute() if isinstance(place, Path) else path, model, device, alone, key, max_memory)
        self._reader = EegzReader(path, priors(model), key)
        self._reader.max_memory = max_memory
        self._network = StoredNetwork(self._reader, model, device)
        self._alone = alone
        # Of the channels read last; the network serves any.
        self._decoder_in_use: tuple[tuple[tuple[int, ...], bool], RecordingDecoder] | None = None

    @property
    def channels(self) -> list[str]:
        """Labels of the signals, annotations left out, in the order of the file."""
        return [signal.label for signal in self._reader.header.signals if signal.kind != "annotations"]

    @property
    def duration(self) -> float | None:
        """Seconds of recorded data; ``None`` where data records have no duration."""
        header = self._reader.header
        return header.n_records * header.record_duration if header.record_duration else None

    @cached_property
    def edf_header(self) -> EdfHeader:
        """The original EDF or BDF header."""
        return stored_edf_header(self._reader.header)

    @cached_property
    def _timeline(self) -> Timeline:
        with naming_memory(self._reader.path):
            return stored_timeline(self._reader, self.edf_header)

    @property
    def annotations(self) -> list[Annotation]:
        """Annotations in file order; onsets in seconds since the header's date and time, gaps counted.

        Where the first data record begins a fraction of a second later, :attr:`record_onsets` says so.
        """
        return list(self._timeline.annotations)

    @property
    def record_onsets(self) -> np.ndarray:
        """Start of each data record in seconds since the header's date and time, gaps counted."""
        return self._timeline.onsets

    @property
    def info(self) -> EegzInfo:
        """Everything that the file says about itself, ready for JSON."""
        return eegz_info(self._reader, self.edf_header)

    def _repr_html_(self) -> str:
        """What a notebook shows; nothing of the patient or the day."""
        reader, summary, length = self._reader, self._reader.summary, self.duration
        measured = [signal for signal in reader.header.signals if signal.kind != "annotations"]
        rates = dict.fromkeys(f"{signal.sample_rate:g} Hz" for signal in measured if signal.sample_rate)
        facts = [f"{len(measured)} channels", ", ".join(rates), "" if length is None else f"{length:g} s"]
        size = human_size(reader.size)
        if summary is not None:
            size += f" of {human_size(summary.original_bytes)} ({summary.original_bytes / reader.size:.1f}:1)"
        reports = [] if summary is None else signal_reports(reader.header, summary)
        shown = [report for report in reports if report.label in self.channels]
        return card(
            f"{reader.path.name}: {', '.join(filter(None, [*facts, size]))}",
            bad=reader.problems,
            heads=SIGNAL_HEADS,
            rows=signal_rows(shown),
        )

    def to_dataframe(
        self, channels: Sequence[str] | str | None = None, start: float = 0.0, stop: float | None = None
    ) -> DataFrame:
        """Read a stretch of some channels as a table of pandas; parameters and errors are those of :meth:`read`.

        Returns
        -------
        pandas.DataFrame, shape (samples, channels)
            Columns are labels; the index ``time`` is in seconds of recorded data.
        """
        from eegzip.decoding.tables import dataframe

        return dataframe(self, channels, start, stop)

    def to_xarray(
        self, channels: Sequence[str] | str | None = None, start: float = 0.0, stop: float | None = None
    ) -> DataArray:
        """Read a stretch of some channels as a labelled array; parameters and errors are those of :meth:`read`.

        Returns
        -------
        xarray.DataArray, shape (channels, samples)
            Dimensions ``channel`` (with ``unit`` beside it) and ``time`` in seconds of recorded data; attributes
            ``sample_rate`` in Hz and ``start``, the date and time, where the header has one.
        """
        from eegzip.decoding.tables import data_array

        return data_array(self, channels, start, stop)

    def read(
        self,
        channels: Sequence[str] | str | None = None,
        start: float = 0.0,
        stop: float | None = None,
        *,
        layer: int | None = None,
    ) -> np.ndarray:
        """Read a stretch of some channels.

        Parameters
        ----------
        channels : str or sequence of str, optional
            Labels, electrode names or shell patterns; all channels but annotations by default. They must share
            one sample rate.
        start, stop : float
            Seconds of recorded data (gaps don't count), to the nearest sample; `stop` defaults to the end.
        layer : {0}, optional
            0: only what the tokens give, as a preview of channels coded in layers; `channels` then defaults to those
            that have tokens. Everything that is stored by default.

        Returns
        -------
        ndarray of float64, shape (channels, samples)
            In uV for signals with a voltage unit, else in the signal's own unit; digital values where the
            header gives no calibration. Rows come in the order asked for; those of one pattern in the file's order.

        Raises
        ------
        UsageError
            No such channel or time, channels of different sample rates, or `layer` 0 of channels without tokens.
        ContainerError, ModelError
            The file is damaged there, or its model is not at hand.
        """
        if layer not in (None, 0):
            raise UsageError(f"there is no layer {layer} to be read by itself; layer 0 holds the tokens.")
        header = self._reader.header
        tokens_only = layer == 0
        if tokens_only and channels is None:
            channels = self._with_tokens()
            if not channels:
                path = self._reader.path
                raise UsageError(f"{path} has no tokens to read; compress with --keep-tokens to have them.")
        chosen = self.signals_of_one_rate(channels)
        if tokens_only:
            self._refuse_without_tokens(chosen)
        samples = header.signals[chosen[0]].samples_per_record
        rate = header.signals[chosen[0]].sample_rate
        total = samples * header.n_records
        if rate is None:
            raise UsageError("data records of this file have no duration, so it can't be read by time.")
        begin, end = round(start * rate), total if stop is None else round(stop * rate)
        if not 0 <= begin <= end <= total:
            raise UsageError(f"{start:g} to {end / rate:g} s is not within the {total / rate:g} s of the recording.")
        first_record, stop_record = begin // samples, -(-end // samples)
        self._reader.require_chunks(first_record, stop_record)
        with naming_memory(self._reader.path):
            return self._restored(chosen, begin, end, tokens_only=tokens_only)

    def _restored(self, chosen: Sequence[int], begin: int, end: int, *, tokens_only: bool) -> np.ndarray:
        """Samples from `begin` up to `end` of signals that have as many a record, in their units."""
        samples = self._reader.header.signals[chosen[0]].samples_per_record
        first_record, stop_record = begin // samples, -(-end // samples)
        result = np.empty((len(chosen), end - begin))
        for first, _, block in self._decoder(tuple(chosen), tokens_only=tokens_only).blocks(first_record, stop_record):
            offset = first * samples
            for row, index in enumerate(chosen):
                values = block[index].reshape(-1)
                low, high = max(begin, offset), min(end, offset + len(values))
                result[row, low - begin : high - begin] = values[low - offset : high - offset]
        for row, index in enumerate(chosen):
            result[row] = self._physical(index, result[row])
        return result

    def signals_of_one_rate(self, channels: Sequence[str] | str | None) -> list[int]:
        """Numbers of the signals that :meth:`read` reads, in its order; raises :class:`UsageError` as it does."""
        header = self._reader.header
        patterns = ["*"] if channels is None else [channels] if isinstance(channels, str) else list(channels)
        found = [index for pattern in patterns for index in chosen_signals(header, [pattern])]
        chosen = [index for index in dict.fromkeys(found) if header.signals[index].samples_per_record]
        if len({header.signals[index].samples_per_record for index in chosen}) != 1:
            raise UsageError("channels of different sample rates can't share an array; read each rate by itself.")
        return chosen

    def _with_tokens(self) -> list[str]:
        """Labels of the channels that have tokens."""
        header = self._reader.header
        return [header.signals[index].label for index in sorted(i for group in header.groups for i in group.signals)]

    def _refuse_without_tokens(self, signals: Sequence[int]) -> None:
        header = self._reader.header
        having = {index for group in header.groups for index in group.signals}
        without = [header.signals[index].label for index in signals if index not in having]
        if without:
            raise UsageError(f"{', '.join(without)}: kept exactly, without tokens to read.")

    def _decoder(self, signals: tuple[int, ...], *, tokens_only: bool) -> RecordingDecoder:
        wanted = (signals, tokens_only)
        if self._decoder_in_use is None or self._decoder_in_use[0] != wanted:
            decoder = RecordingDecoder(self._reader, self._network, signals, tokens_only=tokens_only, alone=self._alone)
            self._decoder_in_use = (wanted, decoder)
        return self._decoder_in_use[1]

    def _physical(self, index: int, digital: np.ndarray) -> np.ndarray:
        signal = self.edf_header.signals[index]
        if signal.gain is None or signal.offset is None:
            return digital
        scale = 1.0 if signal.microvolts_per_digit is None else signal.microvolts_per_digit / signal.gain
        return (signal.gain * digital + signal.offset) * scale

    def tokens(
        self, channel: str | Sequence[str] | None = None, start: float = 0.0, stop: float | None = None
    ) -> list[TokenStream]:
        """Token streams, one a group or component; no network is loaded.

        Parameters
        ----------
        channel : str or sequence of str, optional
            Only streams of channels that these patterns name; a stream of a group (DAC-MC) holds the others of the
            group too, as its ``labels`` say, and of a channel coded as part of a recording's components, all of
            these.
        start, stop : float
            Seconds of recorded data, as in :meth:`read`: frames whose centres lie there, so that stretches that meet
            share none and leave none out. `stop` defaults to the end, with the last frame, whose centre may lie after
            the last sample. Only chunks that hold them are read; ``first_frame`` says where a stream begins.

        Returns
        -------
        list of TokenStream

        Raises
        ------
        UsageError
            The channel does not exist or is kept exactly, or there is no such time.
        ContainerError, ModelError
            The file is damaged there, or its model's prior is not at hand.
        """
        header = self._reader.header
        patterns = [channel] if isinstance(channel, str) else channel
        wanted = None if patterns is None else set(chosen_signals(header, list(patterns)))
        groups = [
            number
            for number in range(len(header.groups))
            if wanted is None or wanted.intersection(header.sharing(number))
        ]
        if wanted is not None and not groups:
            named = "', '".join(patterns or ())
            raise UsageError(f"'{named}' has no tokens: it is kept exactly, or coded without them.")
        refuse_more_memory(self._reader)
        with naming_memory(self._reader.path):
            return [read_tokens(self._reader, number, *self._frames(number, start, stop)) for number in groups]

    def _frames(self, group: int, start: float, stop: float | None) -> tuple[int, int]:
        """Frames of a group whose centres lie in a stretch of time: first, and one past the last."""
        grid = self._reader.header.grid(group)
        if start == 0 and stop is None:
            return 0, grid.n_frames
        length = self.duration
        if length is None:
            raise UsageError("data records of this file have no duration, so it can't be read by time.")
        if not 0 <= start <= (length if stop is None else stop) <= length:
            end = length if stop is None else stop
            raise UsageError(f"{start:g} to {end:g} s is not within the {length:g} s of the recording.")
        # A hair of tolerance: 0.3 s is the third of frames 0.1 s apart, whatever floats say.
        per_second = grid.n_samples * grid.up / (grid.down * grid.hop * length)
        first = math.ceil(start * per_second - 1e-9)
        return first, grid.n_frames if stop is None else max(first, math.ceil(stop * per_second - 1e-9))

    def __reduce__(self) -> tuple[object, ...]:
        """Pickle it as what it takes to open it again."""
        place = self._how[0]
        if not isinstance(place, bytes) and path_of(place) is None:
            raise UsageError(f"{name_of(place)} is an open file, which no other process has; open it by its path.")
        return _reopened, (*self._how, self._reader.blocks.seed, self._reader.size)

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Recording:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def _reopened(
    path: Source,
    model: str | Path | None,
    device: str,
    alone: bool,
    key: Key | None,
    max_memory: int | None,
    seed: int,
    size: int,
) -> Recording:
    """Open a pickled recording again, unless the file is another one by now."""
    recording = Recording(path, model=model, device=device, alone=alone, key=key, max_memory=max_memory)
    reader = recording._reader
    if (reader.blocks.seed, reader.size) != (seed, size):
        recording.close()
        raise ContainerError(f"{name_of(path)} is not the file any more that it was when it was opened; open it again.")
    return recording
