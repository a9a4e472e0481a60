"""How large a wide study's report is, and what making it takes: python benchmarks/report.py

The study is made from nothing (tests/report_wide.py): 16 models, 12 datasets, 14 protocols, 9 metrics. It has no
stores, so the report has no pictures. Run with PYTHONPATH=workflow_scripts:tests.
"""

from __future__ import annotations

import resource
import sys
import tempfile
import time
from pathlib import Path

from report_wide import wide_study
from scopedepth.report.html.page import write_report


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        out = Path(sys.argv[1]) if len(sys.argv) > 1 else Path(folder) / "report.html"
        study = wide_study(Path(folder))
        began = time.process_time()
        write_report(**study, out=out)
        seconds = time.process_time() - began
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{out.stat().st_size / 1e6:.1f} MB, {seconds:.1f} processor s, {peak:.0f} MiB with making the tables"
        )


if __name__ == "__main__":
    main()
