"""What only an encoder of tokens decides."""
