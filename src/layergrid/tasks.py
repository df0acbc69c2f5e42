"""Measures many tensors through one executor: with progress, kept results, and a prompt stop."""

from __future__ import annotations

import importlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from threading import Event
from typing import Any

import numpy as np

from layergrid.sources.source import SourceError
from layergrid.tensor import Tensor

Work = Callable[..., Mapping[str, Any]]
"""From the tensors of one job to its numbers by metric."""

# A task is submitted for so much work at least, as handing one over to a cluster costs about a millisecond.
_TASK_BYTES = 64 << 20
_TASK_JOBS = 64

# How long Ctrl-C may go unnoticed, in seconds, where waiting cannot be interrupted.
_PATIENCE_S = 0.2


@dataclass(frozen=True, eq=False)
class Job:
    """The tensors that one call of the work takes: one, or a pair to compare."""

    key: int
    tensors: tuple[Tensor, ...]

    @property
    def nbytes(self) -> int:
        """Bytes to read."""
        return sum(tensor.nbytes for tensor in self.tensors)


@dataclass(frozen=True)
class Failure:
    """In place of a job's numbers, why they could not be had."""

    reason: str


def run_jobs(
    work: Work,
    jobs: Sequence[Job],
    *,
    executor: Executor | None = None,
    skip_errors: bool = False,
    progress: bool = True,
    done: Callable[[int, Mapping[str, Any]], None],
) -> dict[int, Failure]:
    """Run all jobs, and call `done` in this thread with key and numbers of each as it is finished.

    Parameters
    ----------
    work : called with the tensors of a job; for processes and clusters it must pickle
    executor : where the work is done; None for threads of our own, one per usable core
    skip_errors : a tensor that cannot be read costs its own job, not all

    Returns
    -------
    the jobs that failed, by key; empty unless `skip_errors`

    Raises
    ------
    KeyboardInterrupt
        Within a second: what has not begun is cancelled; of our own threads, those that read stop at the
        next block, and those inside a decomposition finish it in the background.
    """
    stop = Event()
    own = executor is None
    pool = executor if executor is not None else ThreadPoolExecutor(_usable_cores(), "layergrid")
    if own:
        jobs = [replace(job, tensors=tuple(_stoppable(tensor, stop) for tensor in job.tensors)) for job in jobs]
    failures: dict[int, Failure] = {}
    finished: queue.SimpleQueue[Future[list[tuple[int, Any]]]] = queue.SimpleQueue()
    futures: list[Future[list[tuple[int, Any]]]] = []
    sizes = {job.key: job.nbytes for job in jobs}
    try:
        with _progress_bar(progress, len(jobs), sum(sizes.values())) as advance:
            for task in _tasks(jobs):
                future = pool.submit(run_task, work, task, skip_errors)
                futures.append(future)
                future.add_done_callback(finished.put)
            for _ in futures:
                for key, numbers in _next(finished).result():
                    if isinstance(numbers, Failure):
                        failures[key] = numbers
                    else:
                        done(key, numbers)
                    advance(sizes[key])
    except BaseException:
        stop.set()
        for future in futures:
            future.cancel()
        raise
    finally:
        if own:
            pool.shutdown(wait=False, cancel_futures=True)
    return failures


def run_task(work: Work, jobs: Sequence[Job], skip_errors: bool) -> list[tuple[int, Any]]:
    """Key and numbers (or `Failure`) of every job; runs wherever the executor does."""
    results: list[tuple[int, Any]] = []
    _announce(jobs)
    for job in jobs:
        try:
            results.append((job.key, work(*job.tensors)))
        except (SourceError, OSError) as error:
            if not skip_errors:
                raise
            results.append((job.key, Failure(str(error))))
        except Exception as error:
            error.add_note(f"while measuring {job.tensors[0].name!r} of shape {job.tensors[0].shape}")
            raise
    return results


def _announce(jobs: Sequence[Job]) -> None:
    """Have what is far away sent from now on, for all jobs of the task at once."""
    for job in jobs:
        for tensor in job.tensors:
            try:
                tensor.read(0, 0)
            except (SourceError, OSError):
                return  # the job itself will meet the same error, and say so


def _tasks(jobs: Sequence[Job]) -> Iterator[list[Job]]:
    """Jobs that follow each other, as a rule in one file, put together to some megabytes."""
    task: list[Job] = []
    size_bytes = 0
    for job in jobs:
        task.append(job)
        size_bytes += job.nbytes
        if size_bytes >= _TASK_BYTES or len(task) >= _TASK_JOBS:
            yield task
            task, size_bytes = [], 0
    if task:
        yield task


def _next(finished: queue.SimpleQueue[Future[Any]]) -> Future[Any]:
    while True:
        try:
            return finished.get(timeout=_PATIENCE_S)
        except queue.Empty:
            continue


def _usable_cores() -> int:
    """Cores this process may run on, which in a container are fewer than the machine has."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class _Stopped(SourceError):
    """The scan has ended, this read is for nobody."""


@dataclass(frozen=True, eq=False)
class _Stoppable:
    tensor: Tensor
    stop: Event

    def __call__(self, start: int, stop: int) -> np.ndarray:
        if self.stop.is_set():
            raise _Stopped(f"reading {self.tensor.name!r} was stopped")
        return self.tensor.read(start, stop)


def _stoppable(tensor: Tensor, stop: Event) -> Tensor:
    return replace(tensor, read=_Stoppable(tensor, stop))


@contextmanager
def _progress_bar(wanted: bool, jobs: int, size_bytes: int) -> Iterator[Callable[[int], None]]:
    """A function to call with the bytes of each finished job; it moves a tqdm bar where tqdm is installed."""
    # A bar is a courtesy: without tqdm there is none, and the scan is the same.
    if not wanted or not jobs or importlib.util.find_spec("tqdm") is None:
        yield lambda _: None
        return
    tqdm: Any = importlib.import_module("tqdm.auto").tqdm
    bar = tqdm(total=size_bytes, unit="B", unit_scale=True, leave=False, mininterval=0.2)
    finished = 0

    def advance(job_bytes: int) -> None:
        nonlocal finished
        finished += 1
        bar.set_postfix_str(f"{finished}/{jobs} tensors", refresh=False)
        bar.update(job_bytes)

    with bar:
        yield advance
        bar.refresh()
