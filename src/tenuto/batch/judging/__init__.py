"""Whose fault it is: deaths, hangs, and many that fail alike."""
