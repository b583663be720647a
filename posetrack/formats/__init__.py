"""Recordings in the formats of other tools: one small file a format, `table` lists them.

`conversion.convert` writes one; `saving.Saving` does while a run goes on.
"""
