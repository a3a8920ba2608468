"""Removal: moving things and people are taken out and the place behind them is filled from other views."""
