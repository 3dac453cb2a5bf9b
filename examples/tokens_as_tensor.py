"""Tokens of a recording as arrays and as one tensor, for those who train models on them.

Usage: ``python examples/tokens_as_tensor.py [RECORDING.edf]``

Reading tokens loads no network and no torch. With the model eegz-sc-1 each channel has a stream of `codebooks` indices
a frame, the coarsest first: the first k rows alone are a valid, coarser version of the signal. The default model makes
streams of components, in which frames have as many tokens as they are worth (65535 stands for none).
"""

import sys
import tempfile
from pathlib import Path

import numpy as np

import eegzip

RECORDING = Path(__file__).parent / "data" / "eegmat_subject18_arithmetic.edf"


def main(recording: Path) -> None:
    """Compress a recording and look at its tokens."""
    with tempfile.TemporaryDirectory() as folder:
        small = Path(folder) / "small.eegz"
        eegzip.compress(recording, small, model="eegz-sc-1")
        with eegzip.open(small) as opened:
            streams = opened.tokens()

    first = streams[0]
    print(f"{len(streams)} streams; the first is {first.labels[0]}: {first.codes.shape} {first.codes.dtype}")
    print(f"{first.frame_rate:g} frames a second, {first.codebook_size} entries a codebook, model {first.model}")

    # Cut and join in time: streams know where they came from.
    early, late = first.slice(0, 40), first.slice(40, len(first))
    joined = eegzip.concatenate([early, late])
    print(f"cut at frame {late.first_frame} and joined: the same {np.array_equal(joined.codes, first.codes)}")
    print(f"coarse: {first.coarse(4).codes.shape}")

    # All channels at once, [channels, codebooks, frames]; torch is imported here for the first time.
    import torch

    tensor = torch.from_numpy(np.stack([stream.codes for stream in streams]).astype(np.int64))
    print(f"tensor {tuple(tensor.shape)} {tensor.dtype}, values {tensor.min()} to {tensor.max()}")
    flat = tensor[:, :4].transpose(1, 2).reshape(len(tensor), -1)
    print(f"four levels a frame, flattened for a language model: {tuple(flat.shape)}")


if __name__ == "__main__":
    main(Path(sys.argv[1]) if len(sys.argv) > 1 else RECORDING)
