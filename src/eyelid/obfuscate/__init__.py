"""The obfuscators: the only way from a RawFrame to a SafeFrame, one file a method."""
