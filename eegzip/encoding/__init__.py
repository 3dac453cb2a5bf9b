"""From a recording to streams: everything that an encoder is free to decide.

In the order of :func:`eegzip.compress`: ``options`` (with ``quality``) says what is asked for, ``statistics`` what the
recording is like, ``plan`` how it is coded (``signal_coding`` which signal, ``channel_groups`` which share a stream,
``klt`` in which rotation). Then the stages code chunk after chunk: ``tokens`` (with ``target_bitrate``), ``lossless``
and ``bounded`` (with ``bounded_chunk`` and ``bounds``); ``recording_encoder`` hands to the writer what they give.
"""
