"""From a recording to streams: everything that an encoder is free to decide."""
