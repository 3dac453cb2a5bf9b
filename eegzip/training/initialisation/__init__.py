"""What weights are before the first step."""
