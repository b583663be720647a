"""Models by name, path or address: found, fetched, verified and converted."""

from posetrack.zoo.catalog import (
    Check,
    Entry,
    embedded,
    entry,
    list_models,
    models_dir,
    verify,
)
from posetrack.zoo.download import Progress, fetch, redact
from posetrack.zoo.resolve import ResolvedModel, find, pull

__all__ = [
    "Check",
    "Entry",
    "Progress",
    "ResolvedModel",
    "embedded",
    "entry",
    "fetch",
    "find",
    "list_models",
    "models_dir",
    "pull",
    "redact",
    "verify",
]
