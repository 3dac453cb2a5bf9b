"""Draw original and restored traces over each other, with the error below: look before you trust.

Usage: ``python examples/plot_original_and_restored.py [RECORDING.edf [PICTURE.png]]``; it needs matplotlib, which
``pip install 'eegzip[train]'`` brings.
"""

import sys
import tempfile
from pathlib import Path

import matplotlib as mpl
import numpy as np
import pyedflib

import eegzip

mpl.use("Agg")
from matplotlib import pyplot as plt

RECORDING = Path(__file__).parent / "data" / "eegmat_subject18_arithmetic.edf"
CHANNELS = ["EEG Fp1", "EEG C3", "EEG Pz", "EEG O1"]
START, SECONDS = 20, 4


def main(recording: Path, picture: Path) -> None:
    """Compress, read a few seconds of both, draw."""
    with tempfile.TemporaryDirectory() as folder, pyedflib.EdfReader(str(recording)) as original:
        small = Path(folder) / "small.eegz"
        report = eegzip.compress(recording, small)
        labels = original.getSignalLabels()
        with eegzip.open(small) as opened:
            channels = [name for name in CHANNELS if name in labels] or opened.channels[:4]
            figure, axes = plt.subplots(len(channels), 1, figsize=(11, 2 * len(channels)), sharex=True, squeeze=False)
            for axis, name in zip(axes[:, 0], channels, strict=True):
                index = labels.index(name)
                rate = original.getSampleFrequency(index)
                before = original.readSignal(index, round(START * rate), round(SECONDS * rate))
                after = opened.read(name, START, START + SECONDS)[0]
                t = START + np.arange(len(before)) / rate
                floor = min(before.min(), after.min()) - 1.5 * np.abs(before - after).max()
                axis.plot(t, before, color="black", linewidth=1.6, label="original")
                axis.plot(t, after, color="tab:orange", linewidth=0.9, label="restored")
                axis.plot(t, before - after + floor, color="tab:gray", linewidth=0.7, label="error, moved down")
                axis.set_ylabel(f"{name}\n(uV)")
    axes[0, 0].legend(loc="lower right", bbox_to_anchor=(1, 1), ncols=3, frameon=False)
    axes[0, 0].set_title(f"{report.ratio:.1f}:1", loc="left")
    axes[-1, 0].set_xlabel("seconds")
    figure.tight_layout()
    figure.savefig(picture, dpi=120)
    print(f"{picture}: {', '.join(channels)}")


if __name__ == "__main__":
    arguments = [Path(argument) for argument in sys.argv[1:3]]
    main(arguments[0] if arguments else RECORDING, arguments[1] if len(arguments) > 1 else Path("restored.png"))
