"""Changing what was found, afterwards: edits by hand, relinking, smoothing that sees the future."""
