"""What only an encoder of exact signals decides: whoever writes a decoder may skip it."""
