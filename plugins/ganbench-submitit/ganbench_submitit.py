"""Trials of ganbench as jobs of Slurm, which submitit submits."""

import math
import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Literal

from ganbench import (
    Cluster,
    ClusterExecutor,
    Errand,
    GanbenchError,
    JobEnd,
    Resources,
    TrialRef,
    hookimpl,
)

KEPT = "checkpoint.pt"  # in a trial's folder, of a training that has not ended
MARGIN_MINUTES = 2  # of a job's time beyond that of its trial
MOST_IN_ARRAY = 1000  # elements, as Slurm has it where MaxArraySize is left alone
TERM_SECONDS = 25.0  # between Slurm's SIGTERM and SIGKILL, less a bit
LOOK_SECONDS = 30.0  # between two questions to Slurm, whatever submitit asks
STOPPING_SECONDS = 60.0  # until jobs that were cancelled have to be gone
MOST_SLICES = 10_000  # jobs of one trial, each of which has to keep a checkpoint


@dataclass(kw_only=True)
class Submitit(ClusterExecutor):
    """A job of Slurm for each trial; one that runs out of its time goes on in another."""

    name = "submitit"
    attaches = True

    cluster: Literal["slurm", "local"] = "slurm"  # local: processes of this machine, to try it
    partition: str | None = None  # left out: the cluster's default
    gpus: int = 0  # of each trial
    memory_gb: float | None = None  # of each trial; left out: the partition's default
    minutes: int | None = None  # of a job; left out: execution.timeout, or 60
    notice: int = 120  # seconds before a job's end, in which a training keeps a checkpoint
    setup: tuple[str, ...] = ()  # lines of shell before the worker: [module load cuda]
    extra: dict[str, str | int | bool] = field(default_factory=dict)  # of sbatch: {qos: long}

    def __post_init__(self) -> None:
        for option, least in (("gpus", 0), ("minutes", 1), ("memory_gb", 0.001), ("notice", 20)):
            value = getattr(self, option)
            if value is not None and value < least:
                raise ValueError(f"{option} must be {least:g} or more, found {value:g}")

    @contextmanager
    def opened(self, resources: Resources) -> Iterator[Cluster]:
        try:
            import submitit  # noqa: F401
        except ImportError as error:
            raise GanbenchError(
                "executor 'submitit': needs submitit: pip install submitit"
            ) from error
        if self.cluster == "slurm" and shutil.which("sbatch") is None:
            raise GanbenchError(
                "executor 'submitit': no sbatch here; begin the run where jobs of Slurm are "
                "submitted, or try it with cluster: local"
            )
        yield Jobs(self, resources)

    def job_minutes(self, resources: Resources) -> int:
        """Return the wall time of a job."""
        if self.minutes is not None:
            return self.minutes
        limit = resources.timeout_seconds
        return 60 if limit is None else math.ceil(limit / 60) + MARGIN_MINUTES

    def job_notice(self, resources: Resources) -> int:
        """Return how many seconds before its end a job is told of it."""
        return min(self.notice, 30 * self.job_minutes(resources))

    def parameters(self, resources: Resources) -> dict[str, Any]:
        """Return what submitit's AutoExecutor is told."""
        shared = {
            "name": "ganbench",
            "timeout_min": self.job_minutes(resources),
            "cpus_per_task": resources.threads,
            "mem_gb": self.memory_gb,
            "gpus_per_node": self.gpus or None,
        }
        if self.cluster == "local":
            return {**shared, "local_setup": [*self.setup] or None}
        slurm = {
            "partition": self.partition,
            "array_parallelism": resources.jobs,
            "signal_delay_s": self.job_notice(resources),
            "setup": [*self.setup] or None,
            "additional_parameters": self.extra or None,
        }
        return {**shared, **{f"slurm_{key}": value for key, value in slurm.items()}}


@dataclass
class Task:
    """An errand in a job: what is called there, and again in the next one."""

    errand: Errand
    patience: float  # in seconds, for a checkpoint
    minutes: int  # of a job
    command: int | None = None  # the process of this machine with which it ends
    began: float = 0.0
    kept: float | None = None  # when the last checkpoint was, as the job began

    def __call__(self) -> None:
        """Run the errand. Signals that announce the job's end have a checkpoint kept before it."""
        told: list[int] = []
        numbers = (signal.SIGTERM, signal.SIGUSR1, signal.SIGUSR2)
        theirs = {n: found for n in numbers if callable(found := signal.getsignal(n))}

        def ask(number: int, frame: object) -> None:
            told.append(number)
            self.errand.ask_to_stop(TERM_SECONDS if number == signal.SIGTERM else self.patience)

        for number in theirs:
            signal.signal(number, ask)
        self.began, self.kept = time.time(), self._last_kept()
        self.errand(self._is_wanted)
        if not told or self.errand.trial.has_ended:
            return
        if told[0] == signal.SIGTERM:
            sys.exit(128 + signal.SIGTERM)  # of a job that Slurm ends, or begins again
        theirs[told[0]](told[0], None)  # submitit's, which calls `checkpoint` and goes on

    def checkpoint(self) -> Any:
        """Return what is left to do; None where the next job would do the same again."""
        if self._last_kept() in (None, self.kept):
            self.errand.trial.leave_end(
                "timeout",
                f"its job was at the end of its {self.minutes} minutes, and the training had kept "
                "no checkpoint in them to go on from; give the executor more minutes",
            )
            return None
        from submitit.helpers import DelayedSubmission

        limit = self.errand.timeout_seconds
        left = None if limit is None else max(0.0, limit - (time.time() - self.began))
        return DelayedSubmission(replace(self, errand=replace(self.errand, timeout_seconds=left)))

    def _is_wanted(self) -> bool:
        if self.command is None:
            return True
        with suppress(ProcessLookupError):
            os.kill(self.command, 0)
            return True
        return False

    def _last_kept(self) -> float | None:
        with suppress(FileNotFoundError):
            return (self.errand.trial.directory / KEPT).stat().st_mtime
        return None


class Jobs(Cluster):
    """The jobs of a run, whose files are in its folder `submitit`."""

    def __init__(self, executor: Submitit, resources: Resources) -> None:
        super().__init__(resources)
        self.executor, self.is_local = executor, executor.cluster == "local"
        self.poll_seconds = 0.2 if self.is_local else 2.0
        self.jobs: dict[str, Any] = {}  # of submitit
        self.asked = time.monotonic()  # when Slurm was, last

    def room(self, jobs: int) -> int:
        """As many as may run; Slurm has an array as long as it takes, and runs as many of it."""
        if self.is_local:
            return super().room(jobs)
        return MOST_IN_ARRAY - jobs

    def attach(self, jobs: Mapping[str, TrialRef]) -> Collection[str]:
        from submitit import SlurmJob

        if self.is_local:  # those end with the command
            return ()
        found = sorted(set(jobs) & set(queued()))
        self.jobs.update({job: SlurmJob(files_of(jobs[job]), job) for job in found})
        return found

    def send(self, errands: Sequence[Errand]) -> Sequence[str]:
        import cloudpickle
        from submitit.core.utils import FailedJobError

        cloudpickle.register_pickle_by_value(sys.modules[__name__])  # nodes may lack this module
        minutes = self.executor.job_minutes(self.resources)
        patience = 0.8 * self.executor.job_notice(self.resources)
        command = os.getpid() if self.is_local else None
        tasks = [Task(errand, patience, minutes, command) for errand in errands]
        try:
            with outside_of_jobs():
                sent = self._submitter(errands[0]).submit_array(tasks)
        except (FailedJobError, OSError, RuntimeError) as error:
            raise GanbenchError(f"executor 'submitit': no jobs were submitted: {error}") from error
        self.jobs.update({job.job_id: job for job in sent})
        return [job.job_id for job in sent]

    def ends(self, jobs: Collection[str]) -> Mapping[str, JobEnd]:
        if self.is_local:
            return {job: self._end(job) for job in jobs if self.jobs[job].done()}
        found = {job: self._end(job) for job in jobs if self.jobs[job].done()}
        if time.monotonic() - self.asked > LOOK_SECONDS:
            self.asked = time.monotonic()
            for job in [*jobs][:1]:
                self.jobs[job].get_info(mode="force")  # submitit asks of all jobs at once
            gone = [job for job in jobs if self.jobs[job].state == "PREEMPTED"]
            found |= {job: self._end(job) for job in gone if job not in queued()}
        return found

    def stop(self, jobs: Collection[str]) -> None:
        if not jobs:
            return
        if self.is_local:
            for job in jobs:
                with suppress(ProcessLookupError):
                    os.kill(int(job), signal.SIGTERM)  # its controller, which passes it on
        else:
            subprocess.run(["scancel", *jobs], check=False, capture_output=True)
        until = time.monotonic() + STOPPING_SECONDS
        while (left := self._at_work(jobs)) and time.monotonic() < until:
            time.sleep(self.poll_seconds / 2)
        if left:
            raise GanbenchError(
                f"executor 'submitit': {len(left)} jobs were cancelled, and are still there after "
                f"{STOPPING_SECONDS:g} s: {', '.join(left[:5])}"
            )

    def _submitter(self, errand: Errand) -> Any:
        from submitit import AutoExecutor

        folder = files_of(errand.trial)
        more = {f"{self.executor.cluster}_max_num_timeout": MOST_SLICES}
        made = AutoExecutor(folder, cluster=self.executor.cluster, **more)
        made.update_parameters(**self.executor.parameters(self.resources))
        return made

    def _end(self, job: str) -> JobEnd:
        """Return how a job ended that is over."""
        found = self.jobs[job]
        if found.paths.result_pickle.exists():
            error = found.exception()
            reason = "" if error is None else f"job {job} raised: {str(error).strip()[-300:]}"
            return JobEnd(reason, again=False)
        return job_end(job, found.state.split(" ")[0].rstrip("+"), self.executor)

    def _at_work(self, jobs: Collection[str]) -> list[str]:
        if self.is_local:
            return [job for job in jobs if not self.jobs[job].done()]
        return sorted(set(jobs) & set(queued()))


def files_of(trial: TrialRef) -> Path:
    """Return the folder for what submitit writes, which is the run's."""
    return trial.directory.resolve().parents[1] / "submitit"


def job_end(job: str, state: str, executor: Submitit) -> JobEnd:
    """Return what the state of a job means that has left no answer."""
    if state == "TIMEOUT":
        reason = f"Slurm ended job {job} when its time was over; give the executor more minutes"
        return JobEnd(reason, status="timeout", again=False)
    if state == "OUT_OF_MEMORY":
        has = "" if executor.memory_gb is None else f", {executor.memory_gb:g} now"
        reason = f"job {job} took more memory than it had; give the executor more memory_gb{has}"
        return JobEnd(reason, again=False)
    if state == "CANCELLED":
        return JobEnd(f"job {job} was cancelled", again=False)
    return JobEnd(f"job {job} ended without an answer, as {state}")


def queued() -> list[str]:
    """Return the jobs that Slurm still knows to wait or run, the elements of arrays one by one."""
    command = ["squeue", "--noheader", "--array", "--format=%i"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise GanbenchError(f"executor 'submitit': squeue: {done.stderr.strip()}")
    return done.stdout.split()


@contextmanager
def outside_of_jobs() -> Iterator[None]:
    """Hide the variables of a job that this process may run in, which new jobs would take over."""
    kept = ("SLURM_CONF", "SUBMITIT_PREEMPT_SIGNAL")
    found = [k for k in os.environ if k.startswith(("SLURM_", "SUBMITIT_")) and k not in kept]
    hidden = {key: os.environ.pop(key) for key in found}
    try:
        yield
    finally:
        os.environ.update(hidden)


@hookimpl
def register_executors(register):
    register(Submitit)
