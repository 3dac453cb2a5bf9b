"""Tokens of recordings, exported to one file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from eegzip.formats.eegz.keys import AnyKey
from eegzip.formats.errors import UsageError
from eegzip.formats.remote.path import is_url
from eegzip.formats.remote.spooled import files_here, local_target
from eegzip.formats.tokens.packed import ABSENT
from eegzip.progress import Progress
from eegzip.token_data.labels import Labels
from eegzip.token_data.recorded import RecordedTokens, tokens_of
from eegzip.token_data.sources import found
from eegzip.token_data.writers import facts_of, kind_of, size_of, writer


@dataclass(frozen=True)
class TokenExport:
    """What was exported.

    Attributes
    ----------
    target, kind : str
    size : int
        Bytes.
    recordings, subjects, rows, tokens : int
        How many; rows are streams of tokens, of a channel each where the model codes channels.
    seconds : float
        Of all recordings together.
    labels : dict of str to int
        How many recordings have which label; empty without labels.
    model, digest : str
    vocabulary_size : int
    frame_rate : float
    components : bool
        Whether tokens are of each recording's own components, and so mean nothing across recordings.
    """

    target: str
    kind: str
    size: int
    recordings: int
    subjects: int
    rows: int
    tokens: int
    seconds: float
    labels: dict[str, int]
    model: str
    digest: str
    vocabulary_size: int
    frame_rate: float
    components: bool

    def to_dict(self) -> dict[str, Any]:
        """Return everything, ready for JSON."""
        return asdict(self)

    def sentence(self) -> str:
        """Return one line for a person."""
        note = "; tokens of each recording's own components: no vocabulary across recordings" if self.components else ""
        return (
            f"{self.target}: {self.tokens} tokens of {self.recordings} recordings, {self.subjects} subjects, "
            f"{self.seconds / 60:.1f} min, {self.size / 1000:.0f} kB; model {self.model}, {self.vocabulary_size} "
            f"entries, {self.frame_rate:g} frames/s{note}"
        )


def export_tokens(
    sources: str | Path | Sequence[str | Path],
    target: str | Path,
    to: str | None = None,
    *,
    model: str | Path = "eegz-sc-1",
    codebooks: int | None = None,
    labels: str | Path | None = None,
    label: str | None = None,
    subject: str = "",
    device: str = "cpu",
    overwrite: bool = False,
    key: AnyKey | None = None,
    progress: Progress | None = None,
) -> TokenExport:
    """Export the tokens of recordings, with labels, subjects, channel names, times and the model's digest.

    Parameters
    ----------
    sources : path-like, URL or sequence of them
        ``.eegz``, EDF or BDF files, folders of them (an EDF file with its ``.eegz`` file beside it is one recording),
        or a manifest of ``eegzip archive``.
    target : path-like or URL
        The file, or the folder of a zarr store (not at a URL), to make. It appears when it is complete, or not at all;
        nobody may read it who may not read all recordings, and labels, that it is made of.
    to : {'npz', 'zarr', 'parquet'}, optional
        By default what `target` ends with. ``npz`` and ``zarr`` have, for each recording, ``codes`` (uint16 [channels,
        codebooks, frames], 65535 for no token) and ``times`` of the frames; ``parquet`` has a row for each frame of
        each channel. zarr and parquet need eegzip[zarr] and eegzip[parquet].
    model : str or path-like
        By which EDF and BDF files are coded. ``.eegz`` files keep their tokens; where these are of a model of your own,
        name it, too, as what codes them in context lies in its folder.
    codebooks : int, optional
        Take the first so many levels.
    labels : path-like, optional
        CSV or participants.tsv: a column ``file`` or ``participant_id`` (``subject``), and one of labels. Every
        recording needs one.
    label : str, optional
        Name of that column, where there are several.
    subject : str
        Regular expression whose first group is the subject in a path; by default what names usually say (BIDS, TUH,
        letters and a number).
    device : str
        Where EDF and BDF files are coded.
    overwrite : bool
        Replace an existing target.
    key : str, bytes or path-like, optional
        What opens files that are sealed as a whole, as in :func:`eegzip.open`.
    progress : callable, optional
        Called with what is done, and how many recordings of how many.

    Returns
    -------
    TokenExport

    Raises
    ------
    UsageError
        No such kind, label, subject or package; a recording without tokens; tokens of different models.
    OutputExistsError, OutputError
        The target exists, or can't be written.
    EegzipError
        A recording can't be read.

    Examples
    --------
    >>> report = eegzip.export_tokens("night.edf", "night.npz", codebooks=4)
    >>> import numpy as np
    >>> with np.load("night.npz") as tokens:
    ...     print(tokens["0/codes"].shape, tokens["0/channels"][:2], tokens["model"])
    (20, 4, 11) ['EEG Fp1' 'EEG Fp2'] eegz-sc-1
    """
    paths = [sources] if isinstance(sources, (str, Path)) else list(sources)
    kind = kind_of(Path(target), to)
    if kind == "zarr" and is_url(target):
        raise UsageError(f"{target}: a zarr store is many files, and is made here; copy it there afterwards.")
    table = None if labels is None else Labels(labels, label)
    if table is None and label is not None:
        raise UsageError(f"the label '{label}' is a column of no table; name the table, too (labels=, --labels).")
    chosen = found(paths, table, subject, recordings=True)
    counts: dict[str, int] = {}
    first: RecordedTokens | None = None
    rows = tokens = 0
    seconds = 0.0
    files = files_here(*(source.path for source in chosen), *([] if labels is None else [labels]))
    with local_target(target, overwrite=overwrite) as place:
        with writer(place, kind, files, overwrite=overwrite) as output:
            for number, source in enumerate(chosen):
                each = tokens_of(source, model, codebooks, device, key)
                first = each if first is None else first
                _refuse_mixture(first, each)
                output.add(each)
                rows += len(each.codes)
                tokens += int((each.codes != ABSENT).sum())
                seconds += each.duration
                if source.label is not None:
                    counts[source.label] = counts.get(source.label, 0) + 1
                if progress is not None:
                    progress("tokens", number + 1, len(chosen))
            if first is None:
                raise UsageError("there is nothing to export.")
            output.finish(facts_of(first))
        size = size_of(place)
    return TokenExport(
        target=str(target),
        kind=kind,
        size=size,
        recordings=len(chosen),
        subjects=len({source.subject for source in chosen}),
        rows=rows,
        tokens=tokens,
        seconds=seconds,
        labels=dict(sorted(counts.items())),
        components=first.channels[0].startswith("component "),
        **facts_of(first),
    )


def _refuse_mixture(first: RecordedTokens, other: RecordedTokens) -> None:
    """Refuse tokens that mean different things."""
    if (first.digest, first.frame_rate) != (other.digest, other.frame_rate):
        raise UsageError(
            f"{other.source.path} has tokens of {other.model} at {other.frame_rate:g} frames/s, {first.source.path} of "
            f"{first.model} at {first.frame_rate:g}: they share no vocabulary. Export each model's by itself."
        )
