"""The report of a study: one page to read, and tables, figures and references for papers."""

from scopedepth.report.page import write_report as write_report
from scopedepth.report.paper import write_paper as write_paper
