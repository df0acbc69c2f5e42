"""What `import layergrid` costs beside `import anywidget` and `import numpy`: fresh processes, taken in turn.

Run: ``python benchmarks/import_time.py [RUNS]``. Prints the medians in milliseconds and their ratios to anywidget.
"""

import statistics
import subprocess
import sys

STATEMENTS = ["import anywidget", "import layergrid", "from layergrid import LayerGrid", "import numpy"]
TIMED = "import time; start = time.perf_counter(); {}; print(time.perf_counter() - start)"


def seconds(statement: str) -> float:
    run = subprocess.run([sys.executable, "-c", TIMED.format(statement)], capture_output=True, text=True, check=True)
    return float(run.stdout)


def main(runs: int) -> None:
    times: dict[str, list[float]] = {statement: [] for statement in STATEMENTS}
    for _ in range(runs):
        for statement in STATEMENTS:
            times[statement].append(seconds(statement))
    base = statistics.median(times[STATEMENTS[0]])
    for statement in STATEMENTS:
        median = statistics.median(times[statement])
        print(f"{statement:32} {1000 * median:7.1f} ms  {median / base:5.2f} x")


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 11)
