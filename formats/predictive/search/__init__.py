"""What only an encoder of exact signals decides."""
