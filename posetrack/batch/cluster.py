"""A crew on a Ray cluster, doing the same unit of work as the processes of `pool`."""

from __future__ import annotations

from typing import Any

from posetrack.batch.crew import Ended, Event
from posetrack.batch.unit import Job, Outcome, Plan, discard_parts, prepare, work
from posetrack.errors import BackendMissing, PosetrackError

LOCAL = "local"
"""Stands for a cluster of this machine alone, which lasts as long as the batch."""


class RayCrew:
    """Tasks on a Ray cluster, each with as many CPUs as it has threads.

    Ray keeps the processes of tasks, so that models are loaded once in each. Every node needs
    posetrack and sees inputs, outputs and models under the same paths.

    Args:
        plan: what all videos share.
        address: of the cluster, ``auto`` for the one this machine belongs to, or `LOCAL`.
        size: videos at a time; None is as many as the cluster has room for.
        gpus: of a task.

    Raises:
        BackendMissing: Ray is not installed.
        PosetrackError: no cluster there, or its nodes cannot load the models.
    """

    def __init__(
        self, plan: Plan, address: str, *, size: int | None = None, gpus: float = 0
    ) -> None:
        self._ray = ray = _import_ray()
        try:
            ray.init(
                address=None if address == LOCAL else address,
                include_dashboard=False if address == LOCAL else None,
                log_to_driver=False,
                configure_logging=False,
            )
        except (ConnectionError, ValueError, RuntimeError) as error:
            raise PosetrackError(f"--ray {address}: no such cluster ({_line(error)})") from error
        task = ray.remote(num_cpus=plan.threads, num_gpus=gpus, max_retries=0)
        self._work = task(work)
        self._running: dict[Any, Job] = {}
        try:
            self._check(task(_try), plan)
        except BaseException:
            ray.shutdown()
            raise
        room = int(ray.cluster_resources().get("CPU", 1)) // plan.threads
        self.size = size or max(1, room)

    def begin(self, job: Job) -> None:
        """Hand `job` to the cluster."""
        self._running[self._work.remote(job)] = job

    def events(self, timeout_s: float) -> list[Event]:
        """Which videos are over; how far the others are stays on their nodes."""
        running = list(self._running)
        ready, _ = self._ray.wait(running, num_returns=len(running), timeout=timeout_s)
        return [Ended(job, self._outcome(job, ref)) for ref, job in self._taken(ready)]

    def abort(self) -> None:
        """Kill the processes of every task, and remove what they had begun to write."""
        for ref in self._running:
            self._ray.cancel(ref, force=True)
        self._ray.wait(list(self._running), num_returns=len(self._running), timeout=10)
        for _, job in self._taken(list(self._running)):
            discard_parts(job)

    def close(self) -> None:
        """Leave the cluster; a local one ends."""
        if self._running:
            self.abort()  # an error is on its way out
        self._ray.shutdown()

    def _taken(self, refs: list[Any]) -> list[tuple[Any, Job]]:
        return [(ref, self._running.pop(ref)) for ref in refs]

    def _outcome(self, job: Job, ref: Any) -> Outcome:
        try:
            outcome: Outcome = self._ray.get(ref)
        except self._ray.exceptions.RayError as error:
            discard_parts(job)
            return Outcome(f"its Ray task was lost: {_line(error)}")
        return outcome

    def _check(self, remote: Any, plan: Plan) -> None:
        """Raise what keeps one node from loading the models; the others are as good."""
        try:
            error = self._ray.get(remote.remote(plan))
        except self._ray.exceptions.RayError as lost:
            raise PosetrackError(f"the cluster cannot run posetrack: {_line(lost)}") from lost
        if error is not None:
            raise error


def _try(plan: Plan) -> PosetrackError | None:
    """What `prepare` raises, as a value: Ray would wrap it."""
    try:
        prepare(plan)
    except PosetrackError as error:
        return error
    return None


def _import_ray() -> Any:
    try:
        import ray
    except ImportError as error:
        raise BackendMissing(
            "--ray asked, ray is not installed: pip install posetrack[ray]"
        ) from error
    return ray


def _line(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if len(text) <= 300 else text[:297] + "..."
