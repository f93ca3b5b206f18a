"""Trials of ganbench as tasks of Ray."""

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from ganbench import Cluster, ClusterExecutor, Errand, GanbenchError, JobEnd, Resources, hookimpl

STOPPING_SECONDS = 20.0  # until tasks that were cancelled are killed


@dataclass(kw_only=True)
class Ray(ClusterExecutor):
    """A task of Ray for each trial, on a cluster that is there, or on this machine."""

    name = "ray"

    address: str | None = None  # HOST:6379, auto; left out: RAY_ADDRESS, or this machine
    gpus: float = 0.0  # of each trial; 0.5: two trials share one
    memory_gb: float | None = None  # of each trial, by which Ray places it
    extra: dict[str, float] = field(default_factory=dict)  # other resources that nodes declare

    def __post_init__(self) -> None:
        if self.gpus < 0:
            raise ValueError(f"gpus must be 0 or more, found {self.gpus:g}")
        if self.memory_gb is not None and self.memory_gb <= 0:
            raise ValueError(f"memory_gb must be positive, found {self.memory_gb:g}")

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[Cluster]:
        try:
            import ray
        except ImportError as error:
            raise GanbenchError("executor 'ray': needs Ray: pip install ray") from error
        address = self.address or os.environ.get("RAY_ADDRESS")
        here = {"num_cpus": resources.jobs * resources.threads, "include_dashboard": False}
        was_there = ray.is_initialized()
        if not was_there:
            where = {"address": address} if address else {"address": "local", **here}
            try:
                ray.init(**where, log_to_driver=False, logging_level="ERROR")
            except Exception as error:  # of whatever kind: Ray raises plain ones, too
                place = address or "this machine"
                raise GanbenchError(f"executor 'ray': no Ray at {place}: {error}") from error
        try:
            yield Tasks(self, resources, ray)
        finally:
            if not was_there:
                ray.shutdown()

    def demands(self, resources: Resources) -> dict[str, Any]:
        """Return what Ray finds a place by."""
        memory = {} if self.memory_gb is None else {"memory": int(self.memory_gb * 2**30)}
        return {
            "num_cpus": resources.threads,
            "num_gpus": self.gpus,
            "resources": self.extra,
            **memory,
        }


class Tasks(Cluster):
    """The tasks of a run."""

    def __init__(self, executor: Ray, resources: Resources, ray: Any) -> None:
        super().__init__(resources)
        self.ray = ray
        self.sent: dict[str, Any] = {}  # references, by their words

        def trial_of_ganbench(errand: Errand) -> None:  # here, so that nodes need not import this
            errand()

        demands = executor.demands(resources)
        self.task = ray.remote(max_retries=0, **demands)(trial_of_ganbench)

    def send(self, errands: Sequence[Errand]) -> Sequence[str]:
        made = {ref.hex(): ref for ref in (self.task.remote(errand) for errand in errands)}
        self.sent.update(made)
        return list(made)

    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        return {ref.hex(): self._end(ref) for ref in self._ready(jobs, seconds=0)}

    def stop(self, jobs: Collection[str]) -> None:
        for force in (False, True):
            ended = {ref.hex() for ref in self._ready(jobs, seconds=0)}
            jobs = [job for job in jobs if job not in ended]
            for job in jobs:
                self.ray.cancel(self.sent[job], force=force)
            self._ready(jobs, seconds=STOPPING_SECONDS)

    def _ready(self, jobs: Collection[str], seconds: float) -> list[Any]:
        """Return the references of the tasks that have ended, within so many seconds."""
        refs = [self.sent[job] for job in jobs]
        if not refs:
            return []
        ready: list[Any] = self.ray.wait(refs, num_returns=len(refs), timeout=seconds)[0]
        return ready

    def _end(self, ref: Any) -> JobEnd:
        """Return how a task ended."""
        errors = self.ray.exceptions
        try:
            self.ray.get(ref)
        except errors.RayTaskError as error:
            return JobEnd(f"its task raised: {str(error).strip().splitlines()[-1]}", again=False)
        except errors.OutOfMemoryError:
            hint = "Ray ended it for want of memory on its node; give the executor memory_gb"
            return JobEnd(hint, again=False)
        except errors.RayError as error:
            said = (str(error).strip().splitlines() or ["nothing"])[0]
            return JobEnd(f"Ray lost its worker: {type(error).__name__}: {said}")
        return JobEnd()


@hookimpl
def register_executors(register):
    register(Ray)
