"""What only an encoder of layers decides."""
