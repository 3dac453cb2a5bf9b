"""One page about what a file lost: to look at in a browser, without a network."""
