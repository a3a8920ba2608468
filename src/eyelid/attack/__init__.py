"""The attacks: one file each. What protects is measured by whoever wants to break it."""
