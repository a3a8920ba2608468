"""Evidence of our own: the whole chain of each platform, signed by roots that only a test's policy pins."""
