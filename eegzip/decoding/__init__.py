"""From streams to a recording."""
