"""Measures many tensors through one executor: with progress, kept results, and a prompt stop."""

from __future__ import annotations

import importlib
import importlib.util
import os
import queue
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import BrokenExecutor, Executor, Future, ProcessPoolExecutor, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, replace
from multiprocessing import get_context
from threading import Event
from typing import Any, TypeVar

import numpy as np

from layergrid.sources.source import SourceError
from layergrid.tensor import Room, Tensor

Work = Callable[..., Mapping[str, Any]]
"""From the tensors of one job to its numbers by metric."""

_Pool = TypeVar("_Pool", bound=Executor)

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

    A cluster runs the tasks of a lost worker again by itself. A pool of processes breaks with its first lost
    one: what it had not finished is then done in a new pool.

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
    BrokenExecutor
        If processes are lost in the new pool too.
    KeyboardInterrupt
        Within a second: what has not begun is cancelled; of our own threads, those that read stop at the
        next block, and those inside a decomposition finish it in the background.
    """
    if executor is not None and not hasattr(executor, "submit"):
        raise TypeError(
            f"executor must be a concurrent.futures.Executor, got {executor!r} of type {type(executor).__name__}"
        )
    failures: dict[int, Failure] = {}
    sizes = {job.key: job.nbytes for job in jobs}
    with _progress_bar(progress, len(jobs), sum(sizes.values())) as advance:

        def finish(results: Sequence[tuple[int, Any]]) -> None:
            for key, numbers in results:
                if isinstance(numbers, Failure):
                    failures[key] = numbers
                else:
                    done(key, numbers)
                advance(sizes[key])

        if executor is None:
            stop = Event()
            own = [replace(job, tensors=tuple(_stoppable(tensor, stop) for tensor in job.tensors)) for job in jobs]
            with _ended(ThreadPoolExecutor(_usable_cores(), "layergrid"), stop) as threads:
                _run_tasks(threads, work, list(_tasks(own)), skip_errors, finish)
            return failures
        lost = _run_tasks(executor, work, list(_tasks(jobs)), skip_errors, finish)
        if lost:
            # One job a task: the one that ends its process again takes as little as possible with it.
            single = [[job] for task in lost for job in task]
            with _ended(ProcessPoolExecutor(_usable_cores(), get_context("spawn"))) as processes:
                lost = _run_tasks(processes, work, single, skip_errors, finish)
        if lost:
            raise BrokenExecutor(
                f"processes died twice, and {len(lost)} tensors are left, {lost[0][0].tensors[0].name!r} among them; "
                "they may have run out of memory: use fewer processes, and cache= to keep what is done"
            )
    return failures


def _run_tasks(
    pool: Executor,
    work: Work,
    tasks: Sequence[Sequence[Job]],
    skip_errors: bool,
    finish: Callable[[Sequence[tuple[int, Any]]], None],
) -> list[Sequence[Job]]:
    """Run the tasks, call `finish` with the results of each, and return those that a broken pool has lost."""
    finished: queue.SimpleQueue[Future[list[tuple[int, Any]]]] = queue.SimpleQueue()
    futures: dict[Future[list[tuple[int, Any]]], Sequence[Job]] = {}
    lost: list[Sequence[Job]] = []
    try:
        for task in tasks:
            try:
                future = pool.submit(run_task, work, task, skip_errors)
            except BrokenExecutor:
                lost.append(task)
                continue
            futures[future] = task
            future.add_done_callback(finished.put)
        for _ in range(len(futures)):
            future = _next(finished)
            try:
                results = future.result()
            except BrokenExecutor:
                lost.append(futures[future])
            else:
                finish(results)
    except BaseException:
        for future in futures:
            future.cancel()
        raise
    return lost


@contextmanager
def _ended(pool: _Pool, stop: Event | None = None) -> Iterator[_Pool]:
    """A pool of our own, which ends without waiting for what still runs."""
    try:
        yield pool
    finally:
        if stop is not None:
            stop.set()
        pool.shutdown(wait=False, cancel_futures=True)


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
        self._check()
        return self.tensor.read(start, stop)

    def into(self, start: int, stop: int, room: Room) -> np.ndarray:
        self._check()
        return room.read(self.tensor, start, stop)

    def _check(self) -> None:
        if self.stop.is_set():
            raise _Stopped(f"reading {self.tensor.name!r} was stopped")


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
