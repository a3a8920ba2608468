"""Noise, sensitivity, adjacency and ledgers: the only place where epsilon is computed."""
