"""Quality that a user asks for: bounds on errors, and presets that stand for them."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass

from eegzip.formats.edf.units import microvolts_per_unit
from eegzip.formats.eegz.header import EEG_PART, Targets
from eegzip.formats.errors import UsageError

QUALITIES = ("archive", "clinical", "compact", "tokens")
_PRESET_PRD = {"clinical": 5.0, "compact": 20.0}

_AMOUNT = re.compile(r"\s*([0-9.]+(?:e[+-]?[0-9]+)?)\s*(\S*)\s*", re.IGNORECASE)


@dataclass(frozen=True)
class Quality:
    """What is asked for.

    Parameters
    ----------
    targets : Targets or None
        Bounds; ``None`` where channels are coded as tokens and nothing else.
    exact : bool
        Everything is to be kept exactly.
    keep_tokens : bool
        Tokens are kept even where the bounds are met with fewer bytes without them.
    """

    targets: Targets | None
    exact: bool
    keep_tokens: bool


def quality_of(
    quality: str | None,
    max_error: float | str | None,
    max_prd: float | None,
    min_snr: float | None,
    *,
    keep_tokens: bool,
) -> Quality:
    """Bring a preset and bounds together: all must hold.

    Raises
    ------
    UsageError
        No such preset, a bound that makes no sense, or wishes that contradict one another.
    """
    if quality is not None and quality not in QUALITIES:
        raise UsageError(f"there is no quality '{quality}'; there are {', '.join(QUALITIES)}.")
    # A straight line has an error of 100 %, which is 0 dB.
    if max_prd is not None and not 0 < max_prd < 100:
        nothing = ", as nothing would be left of the EEG" if max_prd >= 100 else ""
        raise UsageError(f"an error (PRD) of {max_prd:g} % can't be asked for{nothing}; 0.1 to 50 % make sense.")
    if min_snr is not None and not 0 < min_snr < 200:
        nothing = ", as nothing would be left of the EEG" if min_snr <= 0 else ""
        raise UsageError(
            f"a signal-to-noise ratio of {min_snr:g} dB can't be asked for{nothing}; 6 to 60 dB make sense."
        )
    error = None if max_error is None else _microvolts(max_error)
    bounds = (error, max_prd, min_snr)
    bounded = any(bound is not None for bound in bounds)
    if quality == "tokens" and bounded:
        raise UsageError("the quality 'tokens' promises no bounds; leave it out, or use --keep-tokens with a bound.")
    if quality == "archive":
        if keep_tokens:
            raise UsageError("the quality 'archive' keeps everything exactly, so there are no tokens to keep.")
        return Quality(None, exact=True, keep_tokens=False)
    preset = _PRESET_PRD.get(quality or "")
    if preset is not None:
        max_prd = preset if max_prd is None else min(preset, max_prd)
    if max_prd is None and not bounded:
        if keep_tokens:
            raise UsageError("without a bound there is nothing but tokens; --keep-tokens is for use with one.")
        return Quality(None, exact=False, keep_tokens=False)
    measure = EEG_PART if max_prd is not None or min_snr is not None else None
    return Quality(Targets(max_prd, min_snr, error, measure), exact=False, keep_tokens=keep_tokens)


def _microvolts(amount: float | str) -> float:
    if isinstance(amount, str):
        found = _AMOUNT.fullmatch(amount)
        scale = None if found is None else microvolts_per_unit(found.group(2) or "uV")
        try:
            value = math.nan if found is None or scale is None else float(found.group(1)) * scale
        except ValueError:
            value = math.nan
    else:
        value = float(amount)
    if not 0 <= value < 1e9:
        raise UsageError(f"'{amount}' is no largest error; write a number and uV, mV or nV, such as 2uV.")
    return value
