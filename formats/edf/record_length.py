"""Length of a new recording's data records in samples, so that rate and length come out right."""

from __future__ import annotations

from dataclasses import dataclass
from decimal import Decimal
from fractions import Fraction

from eegzip.formats.errors import UsageError

# edflib reads records of at most 10 MiB.
_MAX_RECORD_BYTES = 8 << 20
_MAX_SAMPLES = 1 << 15
_USUAL_SECONDS, _MIN_PART, _MAX_SECONDS = 10, 4, 3600
_MIN_SECONDS = Fraction(1, 1000)
_WIDTH = 8
# An exact rate is worth so many seconds of held values at the end; else the rate is off by a millionth at most, and by
# so little that the last sample is not off by half a sample.
_MAX_HELD = 2
_MAX_ERROR = 1e-6


@dataclass(frozen=True)
class RecordLength:
    """Samples of each signal in a data record, and its duration as the header states it."""

    samples: int
    duration: Decimal


def fit_record(n_samples: int, rate: Fraction, bytes_per_sample: int) -> RecordLength:
    """Choose the data record of a recording that has one sample rate.

    Records of about a second that divide the recording, with a duration whose eight characters give the rate exactly;
    else with as little held at the end as can be, for two seconds at most; else with a duration that is off by a
    millionth at most.

    Parameters
    ----------
    n_samples : int
        Of each signal.
    rate : Fraction
        Hz.
    bytes_per_sample : int
        Of all signals together.

    Returns
    -------
    RecordLength

    Raises
    ------
    UsageError
        No record of an hour or less and of a millisecond or more has such a rate.
    """
    longest = max(1, min(int(_USUAL_SECONDS * rate), _MAX_SAMPLES, _MAX_RECORD_BYTES // bytes_per_sample))
    shortest = max(1, min(-(-rate.numerator // (_MIN_PART * rate.denominator)), n_samples, longest))
    exact, near = [], []
    for samples in range(shortest, longest + 1):
        duration, error = _stated(samples, rate)
        if duration is None:
            continue
        held = -n_samples % samples
        rank = (held, abs(samples - float(rate)), samples)
        if not error and held <= _MAX_HELD * rate:
            exact.append((rank, samples, duration))
        near.append((error, rank, samples, duration))
    if exact:
        _, samples, duration = min(exact)
        return RecordLength(samples, duration)
    allowed = max(min(_MAX_ERROR, 0.5 / n_samples), min((error for error, *_ in near), default=1.0))
    if allowed > _MAX_ERROR:
        raise UsageError(
            f"a sample rate of {float(rate):g} Hz does not fit into EDF's data records; resample to another."
        )
    _, samples, duration = min((rank, samples, duration) for error, rank, samples, duration in near if error <= allowed)
    return RecordLength(samples, duration)


def _stated(samples: int, rate: Fraction) -> tuple[Decimal | None, float]:
    """Duration of so many samples in eight characters, and by how much of itself it is off."""
    over, under = samples * rate.denominator, rate.numerator
    whole = over // under
    if not _MIN_SECONDS * under <= over <= _MAX_SECONDS * under:
        return None, 1.0
    decimals = _WIDTH - 1 - len(str(whole))
    scaled = over * 10**decimals
    rounded = (2 * scaled + under) // (2 * under)
    error = abs(rounded * under - scaled) / scaled
    return Decimal(rounded).scaleb(-decimals), error
