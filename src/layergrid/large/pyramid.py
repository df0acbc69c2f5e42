"""A matrix of any size with its levels, so that a window of it costs as much as it has pixels.

Everything is read once, in the background, by a few threads that numpy lets run side by side. What has been read
so far can be seen in the overview; a window that needs a level waits for it, others are read at once.
"""

from __future__ import annotations

import logging
import math
import threading
import weakref
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np

from layergrid.large.kept_levels import KeptLevels
from layergrid.large.levels import Level, Levels, Plan, block_bytes, last_share, levels_bytes, plan_levels
from layergrid.large.sharing import side_by_side
from layergrid.large.windows import (
    Blocks,
    Plane,
    Window,
    empty_blocks,
    planes_of,
    reduce_blocks,
    reduce_cells,
    single_cells,
)
from layergrid.readable import PIECE, Readable, Stopped, parts, readable
from layergrid.tensor import widen

MOST_BYTES = 768 << 20
"""Of levels held in memory, unless more are asked for."""

# While levels are made, a window of more cells than these waits for them; others are made of the cells at once, which
# takes less than the tenth of a second that a picture may (benchmarks/windows.md).
_MOST_READ = 1 << 24


_log = logging.getLogger(__name__)


class Closed(Stopped):
    """The pyramid was closed."""


@dataclass(frozen=True, eq=False)
class Cells:
    """The blocks of a window, or of the overview."""

    values: np.ndarray
    """Of shape (rows, columns) in blocks; float32, or float64 where the matrix needs it. NaN where absent."""
    absent: np.ndarray | None
    """True where the block has no cells; None where all have some."""
    window: Window
    """Where they are."""
    read: np.ndarray | None = None
    """Of an overview that is not finished: by row of blocks (by column of a transposed matrix), whether it has
    been read; the values of others are NaN."""


class Pyramid:
    """Answers windows of a matrix; safe to use from several threads.

    Parameters
    ----------
    source : an array, memory-mapped or not; a Zarr or dask array, or anything that gives an array for
        ``source[rows, columns]``; a `layergrid.tensor.Tensor`; a `Readable`
    absent : bool array of its shape: cells that are not there, which must be NaN
    budget_bytes : of the levels; None for a third of the matrix at float32, and 768 MB at most. The overview is
        always kept: up to 12 MB, 24 MB for float64.
    cache : keeps the levels of matrices of a known file on disk, for the next time; None for none
    threads : that read and reduce

    Raises
    ------
    TypeError, ValueError
        As `readable` does.
    """

    def __init__(
        self,
        source: Any,
        *,
        absent: np.ndarray | None = None,
        budget_bytes: int | None = None,
        cache: KeptLevels | None = None,
        threads: int = 2,
    ) -> None:
        self._source = readable(source)
        cells = self._source.shape
        if absent is not None and self._source.transposed:
            absent = absent.T
        if absent is not None and absent.shape != cells:
            raise ValueError(f"absent has shape {absent.shape}, the matrix {cells}")
        self._absent = absent
        dtype = widen(np.empty((1, 1), self._source.read(slice(0, 1), slice(0, 1)).dtype), self._source.dtype).dtype
        if budget_bytes is None:
            budget_bytes = min(MOST_BYTES, math.prod(cells) * 4 // 3)
        self._plan = plan_levels(cells, block_bytes(dtype, absent is not None), budget_bytes)
        self._build = _Build(self._source, absent, self._plan, dtype, cache if absent is None else None, threads)
        self._closing = weakref.finalize(self, self._build.close)

    @property
    def shape(self) -> tuple[int, int]:
        """Rows and columns of the matrix."""
        rows, columns = self._source.shape
        return (columns, rows) if self._source.transposed else (rows, columns)

    @property
    def size_bytes(self) -> int:
        """Of the levels, in memory or on disk."""
        return self._build.size_bytes

    @property
    def ready(self) -> bool:
        """Whether all levels are there."""
        return self._build.ready

    def start(self, progress: Callable[[int, int], None] | None = None) -> None:
        """Begin to read in the background, if that has not begun.

        Parameters
        ----------
        progress : called with the rows read so far and all rows, on the threads that read, after each part of the
            overview; what it raises ends the reading
        """
        self._build.start(progress)

    def wait(self, timeout: float | None = None) -> bool:
        """Begin if need be, and wait until all levels are there; False where the seconds were not enough.

        Raises
        ------
        Closed
            If the pyramid was closed meanwhile.
        Exception
            What ended the reading: a `SourceError` where the file cannot be read.
        """
        self.start()
        return self._build.wait(timeout)

    def overview(self, aggregate: str = "mean", center: float = 0.0) -> Cells:
        """The whole matrix in at most 1024 x 1024 blocks, as far as it has been read.

        Parameters
        ----------
        aggregate, center : as for `window`
        """
        level = self._plan.overview
        rows, columns = self._source.shape
        window = Window(0, rows, 0, columns, level.row_factor, level.column_factor)
        blocks, read = self._build.overview()
        return self._shown(blocks, window, aggregate, center, read)

    def window(
        self,
        window: Window,
        aggregate: str = "mean",
        center: float = 0.0,
        *,
        stop: threading.Event | None = None,
    ) -> Cells:
        """The blocks that a window touches; those that it cuts are whole.

        Begins to read and waits for the levels where the window needs them.

        Parameters
        ----------
        window : at any factors; it may reach beyond the matrix
        aggregate : one of `layergrid.large.windows.AGGREGATES`
        center : what "extreme" is farthest from
        stop : set it to give the window up

        Raises
        ------
        Stopped
            If `stop` was set, or, as `Closed`, the pyramid closed.
        Exception
            As `wait`.
        """
        stored = window.transposed if self._source.transposed else window
        rows, columns = stored.blocks(self._source.shape)
        level = Level(stored.row_factor, stored.column_factor)
        source = self._source_of(level, rows, columns, stop)
        if source is None:
            blocks = self._read(level, rows, columns, planes_of(aggregate), stop)
        else:
            blocks = self._build.levels.reduced(source, level, rows, columns, planes_of(aggregate))
        return self._shown(blocks, stored, aggregate, center)

    def close(self) -> None:
        """Stop reading and give everything back. Windows asked for afterwards raise `Closed`."""
        self._closing()

    def __enter__(self) -> Pyramid:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _source_of(self, level: Level, rows: slice, columns: slice, stop: threading.Event | None) -> Level | None:
        """The level to make a window of, waited for; None for the cells."""
        self._build.check()
        source = self._build.levels.source_of(level)
        cells = (rows.stop - rows.start) * (columns.stop - columns.start) * level.size
        if source is None or (not self.ready and cells <= _MOST_READ):
            return None
        self.start()
        while not self._build.wait(0.05):
            if stop is not None and stop.is_set():
                raise Stopped("the window is no longer wanted")
        return source

    def _read(
        self, level: Level, rows: slice, columns: slice, planes: Iterable[Plane], stop: threading.Event | None
    ) -> Blocks:
        """Blocks made of the cells themselves."""
        cells = self._source.shape
        shape = (rows.stop - rows.start, columns.stop - columns.start)
        made = empty_blocks(shape, self._build.levels.dtype, self._absent is not None, planes)
        across = slice(columns.start * level.column_factor, min(columns.stop * level.column_factor, cells[1]))
        down = slice(rows.start * level.row_factor, min(rows.stop * level.row_factor, cells[0]))

        def read(part: tuple[slice, slice]) -> None:
            if stop is not None and stop.is_set():
                raise Stopped("the window is no longer wanted")
            self._build.check()
            gone = None if self._absent is None else self._absent[part]
            place = (
                _shifted(_blocks_of(part[0], level.row_factor), rows.start),
                _shifted(_blocks_of(part[1], level.column_factor), columns.start),
            )
            _reduce_codes(self._source.read(*part), self._source.dtype, gone, level, made[place])

        side_by_side(read, parts(down, across, level.row_factor, level.column_factor, self._source.chunk_rows))
        return made

    def _shown(
        self, blocks: Blocks, window: Window, aggregate: str, center: float, read: np.ndarray | None = None
    ) -> Cells:
        if self._source.transposed:
            blocks, window = blocks.transposed, window.transposed
        # A copy, so that who holds it does not hold the levels.
        return Cells(blocks.aggregate(aggregate, center).copy(order="C"), blocks.absent, window, read)


class _Build:
    """Reads the matrix and fills its levels; knows nothing of who asks for windows."""

    def __init__(
        self,
        source: Readable,
        absent: np.ndarray | None,
        plan: Plan,
        dtype: np.dtype[Any],
        cache: KeptLevels | None,
        threads: int,
    ) -> None:
        self._source = source
        self._absent = absent
        self._plan = plan
        self.finished = threading.Event()
        """Set when there is nothing to wait for: all is done, or failed, or closed."""
        self.error: BaseException | None = None
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._progress: list[Callable[[int, int], None]] = []
        self._bands = _bands(source, plan)
        self._next = 0
        self._open = len(self._bands)
        self._rows_read = 0
        self._read = np.zeros(plan.overview.shape(source.shape)[0], bool)
        self._threads = [
            threading.Thread(target=self._work, name="layergrid-levels", daemon=True) for _ in range(threads)
        ]
        self._started = False
        self._cache = cache if source.identity else None
        self._key = f"{source.identity}\n{source.shape} {source.dtype}\n{list(plan.sources)}"
        levels = list(plan.sources)
        self.size_bytes = levels_bytes(source.shape, levels, dtype, absent is not None)
        kept = self._cache.find(self._key, self.size_bytes) if self._cache is not None else None
        self._levels: Levels | None = Levels(source.shape, levels, dtype, absent is not None, kept)
        if kept is not None:
            self._started = True
            self._read[:] = True
            self.finished.set()

    @property
    def levels(self) -> Levels:
        """The levels; `Closed` where they are gone."""
        levels = self._levels
        if levels is None:
            raise Closed("the pyramid is closed")
        return levels

    @property
    def ready(self) -> bool:
        """Whether all is done."""
        return self.finished.is_set() and self.error is None and self._levels is not None

    def check(self) -> None:
        """Raise what ended the reading, if anything did."""
        if self.error is not None:
            raise self.error
        if self._levels is None:
            raise Closed("the pyramid is closed")

    def start(self, progress: Callable[[int, int], None] | None) -> None:
        """Start the threads, once."""
        with self._lock:
            self.check()
            if progress is not None:
                self._progress.append(progress)
            if self._started:
                return
            self._started = True
        for thread in self._threads:
            thread.start()

    def wait(self, timeout: float | None) -> bool:
        """Whether all is done; raises as `check`."""
        done = self.finished.wait(timeout)
        self.check()
        return done

    def overview(self) -> tuple[Blocks, np.ndarray]:
        """The overview as far as it is there, and which of its rows are."""
        blocks = self.levels[self._plan.overview]
        read = self._read.copy()
        if not read.all():
            planes = {name: np.where(read[:, None], plane, np.nan) for name, plane in blocks.planes.items()}
            blocks = Blocks(planes, blocks.counts)
        return blocks, read

    def close(self) -> None:
        """Stop the threads, and let go of the levels."""
        self._stop.set()
        with self._lock:
            started = self._started
        for thread in self._threads if started else ():
            if thread.is_alive() and thread is not threading.current_thread():
                thread.join()
        self._levels = None
        self.finished.set()

    def _work(self) -> None:
        try:
            while not self._stop.is_set():
                with self._lock:
                    if self._next == len(self._bands):
                        return
                    band = self._bands[self._next]
                    self._next += 1
                if self._reduce(band):
                    self._finish_band(band)
        except BaseException as error:  # whoever waits for the levels gets it
            self.error = error
            self._stop.set()
            self.finished.set()

    def _reduce(self, band: slice) -> bool:
        """Make all levels of a band of rows that are made of cells, and its overview; False where stopped."""
        multiples = (
            max(level.row_factor for level in self._plan.from_cells),
            max(level.column_factor for level in self._plan.from_cells),
        )
        for part in parts(band, slice(0, self._source.shape[1]), *multiples, self._source.chunk_rows):
            if self._stop.is_set():
                return False
            self._reduce_cells(*part)
        overview = self._plan.overview
        source = self._plan.sources[overview]
        if source is not None:
            rows = _blocks_of(band, overview.row_factor)
            made = self.levels.reduced(source, overview, rows, slice(0, overview.shape(self._source.shape)[1]))
            self.levels[overview][rows, :].fill(made)
        return True

    def _reduce_cells(self, rows: slice, columns: slice) -> None:
        codes = self._source.read(rows, columns)
        # Read in one piece, reduced in several that leave little in between: new memory costs more than sums.
        multiple = max(level.column_factor for level in self._plan.from_cells)
        width = max(1, PIECE // (len(codes) * multiple)) * multiple
        for left in range(columns.start, columns.stop, width):
            part = slice(left, min(left + width, columns.stop))
            self._reduce_codes(codes[:, part.start - columns.start : part.stop - columns.start], rows, part)

    def _reduce_codes(self, codes: np.ndarray, rows: slice, columns: slice) -> None:
        gone = None if self._absent is None else self._absent[rows, columns]
        wanted = {
            level: self.levels[level][_blocks_of(rows, level.row_factor), _blocks_of(columns, level.column_factor)]
            for level in self._plan.from_cells
        }
        common = Level(min(level.row_factor for level in wanted), min(level.column_factor for level in wanted))
        if len(wanted) == 1 or common.size == 1:
            for level, into in wanted.items():
                _reduce_codes(codes, self._source.dtype, gone, level, into)
            return
        # All are made of blocks that are made once: reading cells takes most of the time.
        made = reduce_cells(codes, self._source.dtype, common.row_factor, common.column_factor, absent=gone)
        edges = last_share(rows.stop, common.row_factor), last_share(columns.stop, common.column_factor)
        for level, into in wanted.items():
            ratios = level.row_factor // common.row_factor, level.column_factor // common.column_factor
            into.fill(reduce_blocks(made, *ratios, *edges))

    def _finish_band(self, band: slice) -> None:
        with self._lock:
            self._read[_blocks_of(band, self._plan.overview.row_factor)] = True
            self._rows_read += band.stop - band.start
            self._open -= 1
            rows_read, last = self._rows_read, self._open == 0
        for progress in list(self._progress):
            progress(rows_read, self._source.shape[0])
        if last:
            self._make_coarser()
            if self._cache is not None and not self._stop.is_set():
                try:
                    self._cache.keep(self._key, self.levels.buffer)
                except OSError as error:  # a full disk must not take the picture
                    _log.warning("the levels of a matrix could not be kept: %s", error)
            self._progress.clear()
            self.finished.set()

    def _make_coarser(self) -> None:
        """Make the levels that are made of others, but for the overview."""
        for level, source in self._plan.sources.items():
            if source is not None and level != self._plan.overview:
                rows, columns = level.shape(self._source.shape)
                for part in parts(slice(0, rows), slice(0, columns)):
                    if self._stop.is_set():
                        return
                    self.levels[level][part].fill(self.levels.reduced(source, level, *part))


def _reduce_codes(codes: np.ndarray, dtype: str, absent: np.ndarray | None, level: Level, into: Blocks) -> None:
    """Fill the blocks that cells as stored make."""
    if level.size > 1:
        reduce_cells(codes, dtype, level.row_factor, level.column_factor, absent=absent, into=into)
        return
    into.fill(single_cells(widen(codes, dtype), absent))


def _bands(source: Readable, plan: Plan) -> list[slice]:
    """Rows that are read as one: whole blocks of the overview and of every level that is made of cells."""
    rows, columns = source.shape
    multiple = max(level.row_factor for level in [*plan.from_cells, plan.overview])
    height = max(1, PIECE // (columns * multiple), -(-source.chunk_rows // multiple)) * multiple
    return [slice(top, min(top + height, rows)) for top in range(0, rows, height)]


def _blocks_of(cells: slice, factor: int) -> slice:
    return slice(cells.start // factor, -(-cells.stop // factor))


def _shifted(blocks: slice, start: int) -> slice:
    return slice(blocks.start - start, blocks.stop - start)
