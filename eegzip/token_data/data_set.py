"""Tokens of ``.eegz`` files as a data set of PyTorch."""

from __future__ import annotations

import copy
import hashlib
import itertools
import math
from collections import OrderedDict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch.utils.data import Dataset

from eegzip.formats.edf import normalise_channel_name
from eegzip.formats.eegz.keys import AnyKey, Key
from eegzip.formats.eegz.reader import EegzReader
from eegzip.formats.eegz.token_stream import TokenStream, read_tokens
from eegzip.formats.errors import UsageError
from eegzip.formats.files import is_eegz
from eegzip.formats.tokens.packed import ABSENT
from eegzip.recording import Recording
from eegzip.token_data.labels import Labels
from eegzip.token_data.recorded import row_name, stacked
from eegzip.token_data.sources import Source, found

_KEPT_BYTES = 256 << 20
"""Of tokens that a process keeps in memory: some hundred hours of 20 channels."""


@dataclass(frozen=True)
class _Entry:
    """A recording of the data set."""

    source: Source
    rows: tuple[int, ...]
    frames: int
    depth: int


class TokenDataset(Dataset[dict[str, Any]]):
    """Windows of tokens of ``.eegz`` files, map-style; no network is loaded.

    An item is a dict: ``codes`` (int64 [C, K, F]; -1 for no token), ``label`` (int, place in :attr:`classes`; only with
    labels), ``subject`` and ``file`` (str), ``start`` (float, seconds of the first frame in the recording, gaps not
    counted). All items have one shape, so ``torch.utils.data.DataLoader`` makes batches of them as it stands, with any
    number of workers, forked or spawned.

    Files must be of one model and have tokens of the same channels. A file's tokens are read when one of its windows is
    first asked for, and kept, 256 MB in each process.

    Parameters
    ----------
    sources : path-like or sequence of path-like
        Files, folders of ``.eegz`` files, or manifests of ``eegzip archive``.
    window : float, optional
        Seconds, to the nearest frame; by default every recording is one item, and all must be of one length.
    hop : float, optional
        Seconds between windows; `window` by default. What is left at the end of a recording is left out.
    channels : sequence of str, optional
        Rows of tokens, in this order, by their labels or by electrodes (``Fp1`` is ``EEG Fp1-REF``, too); by default
        those of the first file.
    codebooks : int, optional
        The first so many levels; all that are stored by default.
    labels : path-like, optional
        CSV or participants.tsv, as of :func:`eegzip.export_tokens`.
    label : str, optional
        Its column.
    subject : str
        Regular expression whose first group is the subject in a path; by default what names usually say.
    model : str or path-like, optional
        The model's folder, where it is neither bundled nor cached: what codes its tokens in context lies there.
    key : str, bytes or path-like, optional
        What opens files that are sealed as a whole, as in :func:`eegzip.open`.

    Attributes
    ----------
    channels : tuple of str
    classes : tuple of str
        Labels, sorted; empty without.
    model, digest : str
    vocabulary_size : int
    frame_rate : float

    Raises
    ------
    UsageError
        Nothing was found, or files don't fit together; the sentence names the file.
    EegzipError
        A file can't be read.

    Examples
    --------
    >>> report = eegzip.compress("night.edf", "night.eegz", model="eegz-sc-1", codebooks=4)
    >>> windows = eegzip.TokenDataset("night.eegz", window=4, hop=2)
    >>> windows[0]["codes"].shape
    torch.Size([20, 4, 8])
    """

    def __init__(
        self,
        sources: str | Path | Sequence[str | Path],
        *,
        window: float | None = None,
        hop: float | None = None,
        channels: Sequence[str] | None = None,
        codebooks: int | None = None,
        labels: str | Path | None = None,
        label: str | None = None,
        subject: str = "",
        model: str | Path | None = None,
        key: AnyKey | None = None,
    ) -> None:
        paths = [sources] if isinstance(sources, (str, Path)) else list(sources)
        table = None if labels is None else Labels(labels, label)
        chosen = found(paths, table, subject, recordings=False)
        self.classes = tuple(sorted({source.label for source in chosen if source.label is not None}))
        self._model = model
        self._key = None if key is None else Key.of(key)
        wanted = None if channels is None else tuple(channels)
        entries: list[_Entry] = []
        for source in chosen:
            head, entry, wanted = _opened(source, wanted, self._key)
            if not entries:
                self.model, self.digest, self.vocabulary_size = head.model, head.digest, head.codebook_size
                self.frame_rate = head.frame_rate or 0.0
            elif (head.digest, head.frame_rate) != (self.digest, self.frame_rate):
                raise UsageError(
                    f"{source.path} has tokens of {head.model} at {head.frame_rate:g} frames/s, files before it of "
                    f"{self.model} at {self.frame_rate:g}: they share no vocabulary."
                )
            entries.append(entry)
        self.channels = wanted or ()
        self._entries = tuple(entries)
        self._depth = self._levels(codebooks)
        self._length, self._step = self._lengths(window, hop)
        self._kept: OrderedDict[int, npt.NDArray[np.uint16]] = OrderedDict()
        self._choose(range(len(entries)))

    def _choose(self, entries: Sequence[int]) -> None:
        """Make the index of windows: recording and first frame of each."""
        self._chosen = tuple(entries)
        places = []
        for number in entries:
            starts = np.arange(0, self._entries[number].frames - self._length + 1, self._step)
            places.append(np.stack([np.full(len(starts), number), starts], axis=1))
        self._index = np.concatenate(places) if places else np.zeros((0, 2), np.int64)

    def _levels(self, wanted: int | None) -> int:
        stored = min(entry.depth for entry in self._entries)
        if wanted is None:
            return max(entry.depth for entry in self._entries)
        if not 1 <= wanted <= stored:
            raise UsageError(f"the files have {stored} levels of tokens at least; {wanted} can't be taken of all.")
        return wanted

    def _lengths(self, window: float | None, hop: float | None) -> tuple[int, int]:
        """Frames of a window, and from one to the next."""
        lengths = [entry.frames for entry in self._entries]
        if window is None:
            if hop is not None or len(set(lengths)) > 1:
                raise UsageError(
                    f"recordings of {min(lengths)} to {max(lengths)} frames make no items of one shape: name a window=."
                )
            return lengths[0], lengths[0]
        frames, step = (round(each * self.frame_rate) for each in (window, window if hop is None else hop))
        if frames < 1 or step < 1:
            raise UsageError(f"window and hop must be a frame long at least: {1 / self.frame_rate:g} s.")
        if frames > max(lengths):
            raise UsageError(f"no recording is as long as a window of {window:g} s.")
        return frames, step

    def __len__(self) -> int:
        """Return the number of windows."""
        return len(self._index)

    def __getitem__(self, item: int) -> dict[str, Any]:
        """Return a window."""
        number, start = map(int, self._index[item])
        source = self._entries[number].source
        codes = self._tokens(number)[:, :, start : start + self._length].astype(np.int64)
        if self.vocabulary_size <= ABSENT:
            codes[codes == ABSENT] = -1
        result: dict[str, Any] = {
            "codes": torch.from_numpy(codes),
            "subject": source.subject,
            "file": str(source.path),
            "start": start / self.frame_rate,
        }
        if source.label is not None:
            result["label"] = self.classes.index(source.label)
        return result

    def _tokens(self, number: int) -> npt.NDArray[np.uint16]:
        """All tokens of a recording, [C, K, F]; those that were asked for last are kept."""
        if number in self._kept:
            self._kept.move_to_end(number)
            return self._kept[number]
        entry = self._entries[number]
        path = entry.source.path
        with Recording(path, model=self._model, key=self._key) as recording:
            streams = recording.tokens()
            codes = stacked([streams[row] for row in entry.rows], path)
        result = np.full((len(entry.rows), self._depth, entry.frames), ABSENT, np.uint16)
        kept = codes[:, : self._depth, : entry.frames]
        result[:, : kept.shape[1]] = kept
        self._kept[number] = result
        while len(self._kept) > 1 and sum(each.nbytes for each in self._kept.values()) > _KEPT_BYTES:
            self._kept.popitem(last=False)
        return result

    def __getstate__(self) -> dict[str, Any]:
        """Leave kept tokens out of pickles: each worker reads what it needs."""
        return {**self.__dict__, "_kept": OrderedDict()}

    @property
    def subjects(self) -> tuple[str, ...]:
        """Whose recordings these are, each once, sorted."""
        return tuple(sorted({self._entries[number].source.subject for number in self._chosen}))

    @property
    def labels(self) -> torch.Tensor:
        """The label of every window, int64 [len]; -1 without labels. Reads no tokens."""
        places = {label: place for place, label in enumerate(self.classes)}
        of = [places.get(entry.source.label or "", -1) for entry in self._entries]
        return torch.tensor([of[number] for number in self._index[:, 0]], dtype=torch.int64)

    def of_subjects(self, subjects: Collection[str]) -> TokenDataset:
        """Return the part of the data set that is of some subjects.

        Parameters
        ----------
        subjects : collection of str

        Raises
        ------
        UsageError
            One of them has no recordings here.
        """
        missing = sorted(set(subjects) - set(self.subjects))
        if missing:
            known = ", ".join(self.subjects[:20])
            raise UsageError(f"there is no recording of {', '.join(missing)}; there are some of {known}.")
        part = copy.copy(self)
        part._kept = OrderedDict()
        part._choose([i for i in self._chosen if self._entries[i].source.subject in subjects])
        return part

    def split(self, *shares: float, seed: int = 0) -> tuple[TokenDataset, ...]:
        """Split by subject: no subject is in two parts.

        Parameters
        ----------
        *shares : float
            Share of the subjects in each part, 1 together, such as ``0.8, 0.1, 0.1``. Every part has one at least.
        seed : int
            The same seed and subjects give the same parts, in whatever order files come.

        Raises
        ------
        UsageError
            Shares are not 1 together, or there are fewer subjects than parts.
        """
        everyone = sorted(self.subjects, key=lambda who: hashlib.sha256(f"{seed} {who}".encode()).digest())
        if len(shares) < 2 or min(shares) <= 0 or not math.isclose(sum(shares), 1.0, abs_tol=1e-6):
            raise UsageError(f"shares must be positive and 1 together, not {', '.join(map(str, shares)) or 'none'}.")
        if len(everyone) < len(shares):
            raise UsageError(f"{len(everyone)} subjects can't be split into {len(shares)} parts.")
        edges = [0]
        for place in range(1, len(shares)):
            edge = round(sum(shares[:place]) * len(everyone))
            edges.append(min(max(edge, edges[-1] + 1), len(everyone) - (len(shares) - place)))
        edges.append(len(everyone))
        return tuple(self.of_subjects(set(everyone[low:high])) for low, high in itertools.pairwise(edges))


def _opened(
    source: Source, wanted: tuple[str, ...] | None, key: Key | None
) -> tuple[TokenStream, _Entry, tuple[str, ...]]:
    """Look into a file, whose tokens are left where they are: what they are, which rows are wanted, their names."""
    path = source.path
    if not is_eegz(path):
        raise UsageError(f"{path} is no .eegz file; compress it first, with the model eegz-sc-1.")
    with EegzReader(path, key=key) as reader:
        header = reader.header
        # Of no frames: what they are called and mean.
        streams = [read_tokens(reader, group, 0, 0) for group in range(len(header.groups))]
        frames = [header.grid(group).n_frames for group in range(len(header.groups))]
    if not streams:
        raise UsageError(
            f"{path} holds no tokens: it is kept exactly, or within a bound. Compress its recording anew, with tokens."
        )
    names = [row_name(stream) for stream in streams]
    wanted = tuple(names) if wanted is None else wanted
    places = [_place(names, name) for name in wanted]
    missing = [name for name, place in zip(wanted, places, strict=True) if place is None]
    if missing:
        raise UsageError(
            f"{path} has no tokens of {', '.join(missing)}; it has {', '.join(names)}. Name channels that all files "
            "have (channels=), or leave the file out."
        )
    rows = tuple(place for place in places if place is not None)
    rates = {streams[row].frame_rate for row in rows}
    if len(rates) > 1 or None in rates:
        raise UsageError(f"the channels of {path} have tokens at different frame rates, or at none that is known.")
    depth = max(header.groups[row].codebooks for row in rows)
    return streams[rows[0]], _Entry(source, rows, min(frames[row] for row in rows), depth), wanted


def _place(names: Sequence[str], wanted: str) -> int | None:
    """Where a label stands, or else the one label of the same electrode."""
    if wanted in names:
        return names.index(wanted)
    electrode = normalise_channel_name(wanted).lower()
    alike = [place for place, name in enumerate(names) if normalise_channel_name(name).lower() == electrode]
    return alike[0] if len(alike) == 1 else None
