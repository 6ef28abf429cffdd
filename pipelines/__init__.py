"""Beam: reading, wiring and writing. Decides nothing about speech."""
