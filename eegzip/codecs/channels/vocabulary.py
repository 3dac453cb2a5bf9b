"""Names of channels that a multi-channel model knows, in their fixed order.

A network that codes several channels as one must know which is which: each name has a number, its *style*, that
chooses a learned channel embedding before the quantiser and a learned scale and bias after it. Style 0 stands for every
channel of another name.
"""

from __future__ import annotations

import re

from eegzip.formats.edf import normalise_channel_name

# Row by row from the front, left to right, as one looks down on the head; T1 and T2 are the anterior temporal
# electrodes, C3P and C4P lie halfway between C3, C4 and P3, P4.
_SCALP = """
    Nz
    Fp1 Fpz Fp2
    AF9 AF7 AF5 AF3 AF1 AFz AF2 AF4 AF6 AF8 AF10
    F9 F7 F5 F3 F1 Fz F2 F4 F6 F8 F10
    FT9 T1 FT7 FC5 FC3 FC1 FCz FC2 FC4 FC6 FT8 T2 FT10
    A1 T9 T7 C5 C3 C1 Cz C2 C4 C6 T8 T10 A2
    M1 TP9 TP7 CP5 CP3 C3P CP1 CPz CP2 C4P CP4 CP6 TP8 TP10 M2
    P9 P7 P5 P3 P1 Pz P2 P4 P6 P8 P10
    PO9 PO7 PO5 PO3 PO1 POz PO2 PO4 PO6 PO8 PO10
    O1 Oz O2
    CB1 I1 Iz I2 CB2
"""
# What else Table 3 of the paper groups: sphenoidal and nasopharyngeal electrodes, eyes, heart, spare inputs.
_OTHERS = "SP1 SP2 PG1 PG2 LOC ROC EKG1 26 27 28 29 30 31 32"
# The longitudinal bipolar montage ("double banana"), as whole databases are stored in it.
_BIPOLAR = """
    Fp1-F7 F7-T7 T7-P7 P7-O1 Fp1-F3 F3-C3 C3-P3 P3-O1 Fz-Cz Cz-Pz
    Fp2-F4 F4-C4 C4-P4 P4-O2 Fp2-F8 F8-T8 T8-P8 P8-O2
"""
DOUBLE_BANANA: tuple[str, ...] = tuple(_BIPOLAR.split())
STANDARD_VOCABULARY: tuple[str, ...] = (*f"{_SCALP} {_OTHERS}".split(), *DOUBLE_BANANA)

# "EEG EKG1-REF" is no electrode's name, so formats.edf leaves it as it stands; a reference says nothing here.
_DRESSED = re.compile(r"(?:EEG|POL)[\s_:.-]+(.+?)(?:-(?:REF|LE|AR|AVG))?", re.IGNORECASE)


def style_name(label: str) -> str:
    """Return the name under which a channel is looked up in a vocabulary.

    Parameters
    ----------
    label
        The label of a signal.

    Returns
    -------
    str
        What :func:`~eegzip.formats.edf.normalise_channel_name` gives ("Fp1", "T7", "Fp1-F7"); of a label that names
        no electrode, what is left without "EEG" before and the reference behind it ("EEG EKG1-REF" is "EKG1").
    """
    name = normalise_channel_name(label)
    dressed = _DRESSED.fullmatch(name)
    return dressed[1].strip() if dressed else name


def styles_of(vocabulary: tuple[str, ...]) -> dict[str, int]:
    """Return the styles 1, 2... of the names of a vocabulary, by their case-folded names."""
    return {name.casefold(): number for number, name in enumerate(vocabulary, start=1)}
