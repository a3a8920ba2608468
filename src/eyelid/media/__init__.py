"""Frames in and out: stills, video, what a file is, and files that appear whole or not at all."""
