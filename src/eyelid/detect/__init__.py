"""Finds what must be hidden: one detector a file, built by name through the registry."""
