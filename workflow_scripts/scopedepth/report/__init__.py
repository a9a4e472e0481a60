"""The report of a study: one page to read, and tables, figures and references for papers."""
