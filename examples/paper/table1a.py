"""Table 1a of the paper, from the logs of real runs: whether audio is a good place to start from.

The paper compares the spectrogram loss on test people of three models: a codec trained on audio and never shown
EEG, one trained on EEG from scratch, and one fine-tuned from audio to EEG. This prints those rows from the logs of two
runs with the same settings but for their start; the first validation of one is the row without fine-tuning.

    eegzip train --data ../shared/data/audio --domain audio --preset compact --max-time 20m --out audio
    eegzip train --data ../shared/data/eeg/eegmat --preset compact --max-steps 1000 --out scratch
    eegzip train --data ../shared/data/eeg/eegmat --init audio/ --max-steps 1000 --out transfer
    python examples/paper/table1a.py scratch transfer

The rows are taken at the same step: the last one that both runs validated. Audio's official weights need a download;
``--init audio --sha256 ...`` starts from those.
"""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

from eegzip.training.reporting.journal import read_log

FIGURES = ("spectrogram", "prd", "snr")
PAPER = {"Audio-pretrained": 2.50, "Scratch": 1.46, "Audio-to-EEG": 1.05}


def validations(run: str) -> dict[int, dict[str, Any]]:
    """Validations of a run, by step."""
    return {entry["step"]: entry for entry in read_log(Path(run) / "log.jsonl") if entry["kind"] == "validation"}


def main() -> None:
    """Run from the command line."""
    if len(sys.argv) != 3:
        sys.exit("Usage: python examples/paper/table1a.py SCRATCH_RUN AUDIO_TO_EEG_RUN")
    scratch, transfer = validations(sys.argv[1]), validations(sys.argv[2])
    step = max(set(scratch) & set(transfer), default=0)
    if step == 0:
        sys.exit("The two runs share no validation after step 0: nothing was trained that could be compared.")
    rows = {"Audio-pretrained": transfer[0], "Scratch": scratch[step], "Audio-to-EEG": transfer[step]}
    print(f"People held out, at step {step} of both runs.\n")
    print("| model | spectrogram loss | PRD % | SNR dB | the paper's loss |")
    print("| --- | --- | --- | --- | --- |")
    for name, entry in rows.items():
        figures = " | ".join(f"{entry[figure]:.2f}" for figure in FIGURES)
        print(f"| {name} | {figures} | {PAPER[name]:.2f} |")
    ratio = rows["Audio-to-EEG"]["spectrogram"] / rows["Scratch"]["spectrogram"]
    print(f"\nAudio-to-EEG over Scratch: {ratio:.3f} (the paper: {1.05 / 1.46:.3f}).")


if __name__ == "__main__":
    main()
