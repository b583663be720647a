"""What a request may set: less than the file, which the owner of the machine wrote."""

from __future__ import annotations

from posetrack.serve.addresses import AddressRules, NotAllowed
from posetrack.serve.models import Models
from posetrack.serve.settings import ServeConfig, StreamSettings
from posetrack.skeletons import skeleton_names


def check_api(
    new: StreamSettings,
    old: StreamSettings | None,
    config: ServeConfig,
    models: Models,
    rules: AddressRules,
) -> None:
    """Refuse what would reach beyond the stream: other files, other models, other hosts.

    Args:
        new: what is asked.
        old: what holds now; None for a new stream. What does not change is not looked at.
        config: of the daemon.
        models: those that are there.
        rules: which addresses are allowed.

    Raises:
        NotAllowed: with what is not allowed.
    """
    if old is None and not config.security.api_streams:
        raise NotAllowed("streams are added in the file only: security.api_streams is false")
    if old is None or new.url != old.url:
        if "{" in new.url or "}" in new.url:
            raise NotAllowed("url: {env:...} is for the file only; write the address out")
        rules.check(new.url)
    for task, name, before in (
        ("detection", new.detector.model, old and old.detector.model),
        ("pose", new.pose.model, old and old.pose.model),
        ("reid", new.reid.model, old and old.reid.model),
    ):
        if name not in (before, *_named(config, task)) and not models.knows(task, name):
            raise NotAllowed(
                f"{task} model {name!r} is not loaded: name one of GET /v1/models, "
                "others are for the file only"
            )
    if new.source.mask != (old and old.source.mask) and new.source.mask is not None:
        raise NotAllowed("source.mask names a file of this machine: it is for the file only")
    skeleton = new.drawing.skeleton
    if skeleton not in (None, "default", old and old.drawing.skeleton, *skeleton_names()):
        raise NotAllowed(f"drawing.skeleton {skeleton!r} is not known here")
    if new.tracker.get("history", 1) != (old.tracker.get("history", 1) if old else 1):
        raise NotAllowed("tracker.history costs memory: it is for the file only")


def _named(config: ServeConfig, task: str) -> list[str | None]:
    """The models of a task that the file names."""
    parts = {"detection": "detector", "pose": "pose", "reid": "reid"}
    every = (config.defaults, *config.streams)
    return [getattr(each, parts[task]).model for each in every]
