"""Annotated pictures on disk: what trainings and evaluations read."""
