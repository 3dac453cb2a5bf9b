"""What only an encoder of tokens decides: whoever writes a decoder may skip it."""
