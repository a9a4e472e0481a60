"""How large a wide study's report is, and what making it takes.

    python benchmarks/report.py [REPORT.html]

The study is made from nothing (tests/report_wide.py): 16 models, 12 datasets, 14 protocols, 9 metrics. It has no
stores, so the report has no pictures. REPORT.html: where to leave the page.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

HERE = Path(__file__).resolve().parent
sys.path[:0] = [str(HERE.parent / "tests"), str(HERE.parent / "workflow_scripts")]

from report_wide import wide_study  # noqa: E402
from scopedepth.report.html.page import write_report  # noqa: E402


def main(kept: Path | None) -> None:
    """Make the study and its report, and print size, time and memory."""
    with tempfile.TemporaryDirectory() as folder:
        out = kept or Path(folder) / "report.html"
        study = wide_study(Path(folder))
        began = time.process_time()
        write_report(**study, out=out)
        seconds = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{out.stat().st_size / 1e6:.1f} MB, {seconds:.1f} processor s, {peak:.0f} MiB with making the tables"
        )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("report", nargs="?", type=Path, metavar="REPORT.html", help="leave the page there")
    main(parser.parse_args().report)
