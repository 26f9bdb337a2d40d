"""How every bench measures and prints the same things."""

import resource
import sys
from collections.abc import Sequence
from pathlib import Path
from statistics import median, quantiles


def spread(seconds: Sequence[float]) -> str:
    """Median and 95th percentile in milliseconds."""
    high = quantiles(seconds, n=20)[-1] if len(seconds) > 1 else seconds[0]
    return f"p50 {median(seconds) * 1000:6.1f} ms  p95 {high * 1000:6.1f} ms"


def rss_mb() -> float:
    """Resident memory of this process now; where the system does not tell, the most it ever was."""
    try:
        pages = int(Path("/proc/self/statm").read_text().split()[1])
    except OSError:
        most = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        return most / 1e6 if sys.platform == "darwin" else most / 1e3
    return pages * resource.getpagesize() / 1e6


def disk_mb(folder: Path) -> float:
    return sum(file.stat().st_size for file in folder.rglob("*") if file.is_file()) / 1e6
