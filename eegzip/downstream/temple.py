"""Temple University Hospital's labelled sets, as they are distributed (version 3): TUAB and TUEP.

They may not be passed on, so none is here: https://isip.piconepress.com/projects/nedc/html/tuh_eeg gives access. Their
folders::

    tuab/v3.0.0/edf/{train,eval}/{abnormal,normal}/01_tcp_ar/aaaaaaaq_s004_t000.edf
    tuep/v3.0.0/{00_epilepsy,01_no_epilepsy}/aaaaaanr/s001_2003/{01_tcp_ar,02_tcp_le,...}/aaaaaanr_s001_t000.edf

The first eight letters of a file are the subject. Folders of references are averages (``01_tcp_ar``, labels such as
"EEG FP1-REF") and linked ears (``02_tcp_le``, "EEG FP1-LE").
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from eegzip.downstream.labelled import LabelledRecording
from eegzip.formats.errors import BadInputError

ELECTRODES = (
    "A1", "A2", "C3", "C4", "CZ", "F3", "F4", "F7", "F8", "FP1", "FP2", "FZ", "O1", "O2", "P3", "P4", "PZ", "T3", "T4",
    "T5", "T6",
)  # fmt: skip
"""The 21 that all recordings of TUAB have, for ``channels=``: 8,631 features."""

REFERENCES = ("01_tcp_ar",)
_TUEP = {"00_epilepsy": "epilepsy", "01_no_epilepsy": "no epilepsy"}


def tuab(folder: str | Path, references: Sequence[str] = REFERENCES) -> list[LabelledRecording]:
    """Find the recordings of the TUH Abnormal EEG Corpus.

    Parameters
    ----------
    folder : path-like
        That of the corpus, of a version, or its ``edf``.
    references : sequence of str
        Folders of references to take.

    Returns
    -------
    list of LabelledRecording
        Labels ``'abnormal'`` and ``'normal'``; splits ``'train'`` and ``'eval'`` as published. Sorted by path.

    Raises
    ------
    BadInputError
        The folder is not laid out so, or a subject is in both splits.
    """
    root = _root(folder, "train", "tuab")
    found = [
        LabelledRecording(path, label, path.name[:8], split)
        for split in ("train", "eval")
        for label in ("abnormal", "normal")
        for reference in references
        for path in sorted((root / split / label / reference).glob("*.edf"))
    ]
    both = {r.subject for r in found if r.split == "train"} & {r.subject for r in found if r.split == "eval"}
    if both:
        raise BadInputError(
            f"{root}: subject {min(both)} is in train and in eval, which it is not as published; copy the corpus anew."
        )
    return _not_empty(found, root, references)


def tuep(folder: str | Path, references: Sequence[str] = REFERENCES) -> list[LabelledRecording]:
    """Find the recordings of the TUH Epilepsy Corpus.

    Parameters
    ----------
    folder : path-like
        That of the corpus or of a version.
    references : sequence of str
        Folders of references to take. Labels of ``'02_tcp_le'`` end in "-LE"; electrode names find them, too.

    Returns
    -------
    list of LabelledRecording
        Labels ``'epilepsy'`` and ``'no epilepsy'``, many recordings of a subject; no split is published. Sorted by
        path.

    Raises
    ------
    BadInputError
        The folder is not laid out so, or a subject has both labels.
    """
    root = _root(folder, "00_epilepsy", "tuep")
    found = [
        LabelledRecording(path, label, path.name[:8])
        for name, label in _TUEP.items()
        for path in sorted((root / name).glob("*/*/*/*.edf"))
        if path.parent.name in references
    ]
    both = set.intersection(*({r.subject for r in found if r.label == label} for label in _TUEP.values()))
    if both:
        raise BadInputError(
            f"{root}: subject {min(both)} has epilepsy and has not, unlike as published; copy the corpus anew."
        )
    return _not_empty(found, root, references)


def _root(folder: str | Path, inside: str, name: str) -> Path:
    """The folder that holds `inside`: the one given, or the only one below it."""
    given = Path(folder)
    for pattern in ("", "edf", "v*", "v*/edf"):
        found = [path for path in sorted(given.glob(pattern) if pattern else [given]) if (path / inside).is_dir()]
        if found:
            return found[-1]  # the newest version
    raise BadInputError(f"{folder}: holds no folder '{inside}'; name that of {name} as Temple distributes it (v3).")


def _not_empty(found: list[LabelledRecording], root: Path, references: Sequence[str]) -> list[LabelledRecording]:
    if len({recording.label for recording in found}) < 2:
        raise BadInputError(f"{root}: holds no recordings of both classes in folders {', '.join(references)}.")
    return found
