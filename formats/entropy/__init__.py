"""Entropy coding with adaptive models: integers only, so every machine decodes the same (SPEC.md, section 13).

The modules are compiled by numba and imported only where a stream needs them: reading a file's header, checking its
checksums and reading zstd streams go without.
"""
