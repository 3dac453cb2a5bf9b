"""Upper bounds that are checked before memory is taken (SPEC.md, section 11).

Each is far above what a real recording needs and far below what would hurt a machine: a hostile file
can ask for no more than this.
"""

from __future__ import annotations

MAX_HEADER_BYTES = 64 << 20
"""Decompressed HEAD, SUMM and INDX payloads."""

MAX_PAYLOAD_BYTES = 1 << 30
"""Stored payload of one block."""

MAX_OBJECTS = 1 << 20
"""Values in one msgpack map, keys counted: small values cost far more memory than bytes in the file."""

MAX_DEPTH = 8
"""Maps and lists within each other."""

MAX_SIGNALS = 10_000
MAX_RECORDS = 1 << 40
MAX_RECORD_BYTES = 256 << 20
"""Raw bytes of one data record, and of all the records of one chunk."""

MAX_TOKENS = 1 << 24
"""Of one group in one chunk."""

MAX_CONTEXT_TOKENS = 1 << 20
"""Of a stream coded in context; longer ones are coded otherwise."""

MAX_CONTEXT_WORK = 1 << 35
"""Tokens of such a stream, times what its prior computes for each: entries times coordinates and hidden units. As much
as a prior that ships takes for the most tokens there may be; a stranger's could take hours."""

MAX_KNOTS = 1 << 22
"""Of all signals in one chunk."""

MAX_SCALE_CODE = 127
"""Magnitude of a scale code: 2**32 digital units and their inverse."""

MAX_KNOT_CODE = (1 << 31) - 1
"""Magnitude of a code of either kind."""

MAX_LEVEL = 2.0**64
"""Magnitude of centres, ranges (their inverses too) and of what offset codes stand for, in digital units: far beyond
any sample, and near enough that no sum of them leaves the numbers of a float."""

MAX_CODEBOOKS = 256
MAX_CODEBOOK_SIZE = 1 << 16
MAX_HOP = 1 << 20
MAX_RATIO = 1 << 24
"""Numerator or denominator of a model's rate."""

MAX_RESAMPLING = 1 << 16
"""Numerator or denominator of a resampling ratio; the filter has 64 taps for each."""

MAX_MAGNITUDE = 1e290
"""Of seconds of a data record, and of sample rates and their inverses: what follows from them stays a number."""

MIN_CHUNKS, MIN_RECORDS, RECORDS_A_BYTE = 1 << 12, 1 << 16, 1 << 10
"""A file of n bytes is not believed to hold more chunks than the first and n, nor more data records than the second
and n times the third: what it claims beyond that is neither there nor was it ever."""

SALVAGED_BYTES, SALVAGED_A_BYTE = 64 << 20, 1000
"""Lost samples that salvage fills in with zeros, unless it is told otherwise: the first and the second times the bytes
of the file."""

DECODED_BYTES, DECODED_A_SIGNAL, DECODED_A_BYTE = 32 << 20, 8 << 20, 1000
"""Memory that decoding one chunk is believed to need, unless a reader is told otherwise: the first and the second for
each signal, or the third for each byte of the file. A minute at 5 kHz is within that, however few bytes it takes."""

MAX_EMBEDDED_BYTES = 1 << 24
"""Of the files of a model that a file carries, together."""

MAX_STYLE = 1 << 16
"""Number of a channel name in a checkpoint's vocabulary."""

MAX_LAYER_SIGNALS = 64
"""Signals of one layer set."""

MAX_LAYER_SAMPLES = 1 << 23
"""Of all signals of a layer set in one chunk."""

MAX_KLT_SIGNALS = 64
"""Signals of one KLT."""

MAX_JOINT_GROUPS = 64
"""Groups that a joint decoder restores together."""

MAX_JOINT_SAMPLES = 1 << 23
"""Of all signals of a joint set in a minute."""
MAX_LINES = 16
"""Lines of one line set."""

MAX_LINE_STEP = 1 << 24
"""Of amplitudes, in 1/256 digital units."""

MIN_LINE_SPACING, MAX_LINE_SPACING = 16, 1 << 16
"""Samples between knots of lines."""

MAX_LINE_KNOTS = 1 << 20
"""Of all lines of all signals in one chunk."""

MIN_GAIN, MAX_GAIN = 2.0**-40, 2.0**40
"""Of a signal of a KLT, in digital units."""

CHUNK_BYTES = 64 << 20
"""A writer makes chunks shorter than asked for when their raw records would exceed this."""

TRAILING_PIECE_BYTES = 4 << 20
"""Bytes of a file's trailing part in one TAIL block."""


SMALL_FILE_BYTES = 64 << 10
"""A writer uses the dictionary for originals of at most this size; beyond, it would save under 1 %."""


def matrix_bytes(size: int) -> int:
    """Bytes that the matrix of a KLT of so many signals can take at most."""
    return 64 + 4 * size * (size + 1)
