"""The file beside an output that says what was done to it, and the means to check it."""
