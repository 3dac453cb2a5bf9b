"""DAC's discriminators at EEG's size.

The networks are the Descript package's own: one looks at every p-th sample for each of a few periods, one at bands of
a complex spectrogram for each of a few resolutions. Three things differ:

* widths are a setting. The package's are made for audio: 42 million weights, beside 5 million of the compact codec;
* spectrograms last 2, 1 and 1/2 s at 256 Hz, and their bands end at half of Nyquist. There lies what EEG is read for
  (at 256 Hz, the bands are 0-6.4-12.8-32-64 Hz); above are muscles and the amplifier's noise, which no codec at
  these rates keeps, so that a discriminator that looks there has nothing else to learn;
* waveforms are judged as they are, without DAC's normalisation to a peak of 0.8. The codec's scaling has levelled
  them, a wrong amplitude should be noticed, and dividing a silent channel by its peak multiplies its gradient by
  up to 1e9.

Padding and spectrogram are computed by other means than the package's, to the same numbers: its own have no gradient
that is reproducible on CUDA.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import nn

from eegzip.codecs.networks import descript
from eegzip.codecs.networks.descript import normalised_conv, without_deprecations
from eegzip.evaluation.spectrogram import mirrored, transform
from eegzip.formats.errors import UsageError

# Of a multi-period discriminator's layers, relative to the first.
_GROWTH = (1, 4, 16, 32, 32)


@dataclass(frozen=True)
class DiscriminatorConfig:
    """Shape of the discriminators; the package's own is 32 channels, windows 2048, 1024, 512 and its ``BANDS``.

    Attributes
    ----------
    channels : int
        Of the first layers, and of all that look at spectrograms; weights grow with its square.
    periods : tuple of int
        In samples.
    windows : tuple of int
        Of the spectrograms, in samples; multiples of 8.
    bands : tuple of (float, float)
        Parts of the spectrum with layers of their own, as shares of the Nyquist frequency.
    """

    channels: int = 8
    periods: tuple[int, ...] = (2, 3, 5, 7, 11)
    windows: tuple[int, ...] = (512, 256, 128)
    bands: tuple[tuple[float, float], ...] = ((0.0, 0.05), (0.05, 0.1), (0.1, 0.25), (0.25, 0.5))

    def check(self) -> None:
        """Raise :class:`UsageError` where no discriminator of this shape can be built."""
        if self.channels < 1 or not self.periods + self.windows:
            raise UsageError("discriminators need at least one channel, and one period or window.")
        if any(p < 1 for p in self.periods):
            raise UsageError("a discriminator's period must be at least 1 sample.")
        for window in self.windows:
            if window < 8 or window % 8:
                raise UsageError(f"a discriminator's window must be a multiple of 8, not {window}.")
            bins = window // 2 + 1
            if not self.bands or any(not 0 <= int(a * bins) < int(b * bins) <= bins for a, b in self.bands):
                raise UsageError(f"each of the discriminators' bands must hold a bin of a window of {window} samples.")


class PeriodDiscriminator(descript.PeriodDiscriminator):
    """The package's multi-period discriminator of any width."""

    def __init__(self, period: int, channels: int) -> None:
        # The package's wide layers are replaced at once, so they need no memory.
        with torch.device("meta"):
            super().__init__(period)
        widths = [1, *(growth * channels for growth in _GROWTH)]
        strides = (3, 3, 3, 3, 1)
        self.convs = nn.ModuleList(
            normalised_conv(inner, outer, (5, 1), (stride, 1), padding=(2, 0))
            for inner, outer, stride in zip(widths[:-1], widths[1:], strides, strict=True)
        )
        self.conv_post = normalised_conv(widths[-1], 1, kernel_size=(3, 1), padding=(1, 0), act=False)

    def pad_to_period(self, x: torch.Tensor) -> torch.Tensor:
        """Return waveforms [N, 1, T] mirrored at their end, up to the next multiple of the period beyond T."""
        return mirrored(x, 0, self.period - x.shape[-1] % self.period)


class SpectrogramDiscriminator(descript.SpectrogramDiscriminator):
    """The package's multi-band spectrogram discriminator of any width."""

    def __init__(self, window: int, channels: int, bands: tuple[tuple[float, float], ...]) -> None:
        with torch.device("meta"):
            super().__init__(window, bands=list(bands))
        self.band_convs = nn.ModuleList(_band_layers(channels) for _ in bands)
        self.conv_post = normalised_conv(channels, 1, (3, 3), (1, 1), padding=(1, 1), act=False)

    def spectrogram(self, x: torch.Tensor) -> list[torch.Tensor]:
        """Return the bands [N, 2, frames, bins] of the complex spectrogram of waveforms [N, 1, T].

        There is a frame for each begun hop of a quarter window, as strided convolutions would have.
        """
        hop = self.window_length // 4
        beyond = 3 * hop // 2
        longer = mirrored(x[:, 0], beyond, beyond + -x.shape[-1] % hop)
        parts = torch.view_as_real(transform(longer, self.window_length)).permute(0, 3, 2, 1)
        return [parts[..., low:high] for low, high in self.bands]


def _band_layers(channels: int) -> nn.ModuleList:
    first = normalised_conv(2, channels, (3, 9), (1, 1), padding=(1, 4))
    halving = [normalised_conv(channels, channels, (3, 9), (1, 2), padding=(1, 4)) for _ in range(3)]
    return nn.ModuleList([first, *halving, normalised_conv(channels, channels, (3, 3), (1, 1), padding=(1, 1))])


class Discriminator(nn.Module):
    """All discriminators of a config.

    Parameters
    ----------
    config
        Their shape.

    Raises
    ------
    UsageError
        The config makes no sense.
    """

    @without_deprecations()
    def __init__(self, config: DiscriminatorConfig | None = None) -> None:
        super().__init__()
        self.config = config = config or DiscriminatorConfig()
        config.check()
        found: list[nn.Module] = [PeriodDiscriminator(period, config.channels) for period in config.periods]
        found += [SpectrogramDiscriminator(window, config.channels, config.bands) for window in config.windows]
        self.discriminators = nn.ModuleList(found)

    def forward(self, waves: torch.Tensor) -> list[list[torch.Tensor]]:
        """Return each discriminator's feature maps of waveforms [N, 1, T]; the last map of each is its score."""
        return [discriminator(waves) for discriminator in self.discriminators]
