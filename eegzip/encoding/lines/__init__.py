"""Finds lines (mains, screens) in a recording and takes them out of what is coded; a decoder puts them back.

In order: `spectra` says where lines may be, `demodulation` what each is like from second to second, `tracking` which
frequency it follows and when it is switched, `fitting` which amplitudes it has, `quantising` what of that is written,
`finding` brings them together, and `removal` gives the samples without them.

All that decides is sums in one order and plain operations, but for the spectra, whose last bits are the Fourier
transform's; they only propose frequencies and levels, rounded coarsely.
"""
