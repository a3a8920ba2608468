"""Attacks on what eyelid made: what is left, in a table, a report and a signed record."""
