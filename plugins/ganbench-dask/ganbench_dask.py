"""Trials of ganbench as tasks of Dask."""

import uuid
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from typing import Any

from ganbench import Cluster, ClusterExecutor, Errand, GanbenchError, JobEnd, Resources, hookimpl

ALLOWED_FAILURES = 1  # of workers of this machine under one task; elsewhere the scheduler says it


@dataclass(kw_only=True)
class Dask(ClusterExecutor):
    """A task of Dask for each trial, on a cluster that is there, or on workers of this machine."""

    name = "dask"
    retries = 0  # Dask itself sends a task elsewhere whose worker is lost

    scheduler: str | None = None  # tcp://HOST:PORT or its file; left out: Dask's own settings
    gpus: int = 0  # of each trial: `GPU` of what workers declare
    extra: dict[str, float] = field(default_factory=dict)  # of what they declare, other resources

    def __post_init__(self) -> None:
        if self.gpus < 0:
            raise ValueError(f"gpus must be 0 or more, found {self.gpus}")

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[Cluster]:
        try:
            import dask
            import distributed
        except ImportError as error:
            raise GanbenchError(
                "executor 'dask': needs Dask's scheduler: pip install distributed"
            ) from error
        with ExitStack() as stack:
            address = self.scheduler or dask.config.get("scheduler-address", None)
            if address is None:
                if self.demands:
                    raise GanbenchError(
                        "executor 'dask': gpus and extra are what the workers of a scheduler "
                        "declare; name it with scheduler"
                    )
                once = {"distributed.scheduler.allowed-failures": ALLOWED_FAILURES}
                stack.enter_context(dask.config.set(once))
                address = stack.enter_context(
                    distributed.LocalCluster(
                        n_workers=resources.jobs,
                        threads_per_worker=1,
                        memory_limit=None,  # that of a trial is not its worker's
                        dashboard_address=None,
                    )
                )
            where = "scheduler_file" if str(address).endswith(".json") else "address"
            try:
                client = stack.enter_context(distributed.Client(**{where: address}))
            except (OSError, ValueError) as error:
                raise GanbenchError(
                    f"executor 'dask': no scheduler at {address}: {error}"
                ) from error
            yield Tasks(self, resources, client)

    @property
    def demands(self) -> dict[str, float]:
        """What a worker must have declared."""
        return {**self.extra, **({"GPU": self.gpus} if self.gpus else {})}


class Tasks(Cluster):
    """The tasks of a run."""

    def __init__(self, executor: Dask, resources: Resources, client: Any) -> None:
        super().__init__(resources)
        self.executor, self.client = executor, client
        self.sent: dict[str, tuple[Errand, Any]] = {}  # with the future

    def send(self, errands: Sequence[Errand]) -> Sequence[str]:
        def trial_of_ganbench(errand: Errand, key: str) -> None:  # here: workers need not import it
            from distributed import get_worker

            tasks = get_worker().state.tasks  # where one is cancelled whose command has died
            errand(lambda: key in tasks and tasks[key].state != "cancelled")

        jobs = []
        for errand in errands:
            key = f"ganbench-{errand.trial.id}-{uuid.uuid4().hex}"
            demands = self.executor.demands or None
            future = self.client.submit(
                trial_of_ganbench, errand, key, key=key, pure=False, resources=demands
            )
            self.sent[key] = errand, future
            jobs.append(key)
        return jobs

    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        return {job: _end(self.sent[job][1]) for job in jobs if self.sent[job][1].done()}

    def stop(self, jobs: Collection[str]) -> None:
        if not jobs:
            return
        self.client.cancel([self.sent[job][1] for job in jobs])
        errands = [self.sent[job][0] for job in jobs]
        self.client.run(Errand.all_stopped, errands, on_error="ignore")  # of workers that are lost


def _end(future: Any) -> JobEnd:
    """Return how a task ended."""
    if future.status == "finished":
        return JobEnd()
    if future.status != "error":
        return JobEnd(f"Dask gave its task up: {future.status}")
    error = future.exception()
    if type(error).__name__ == "KilledWorker":
        return JobEnd(f"its workers died, one after the other: {error}")
    return JobEnd(f"its task raised {type(error).__name__}: {error}")


@hookimpl
def register_executors(register):
    register(Dask)
