"""What only an encoder of layers decides: whoever writes a decoder may skip it."""
