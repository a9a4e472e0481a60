"""The report's charts, one a file; each returns inline SVG."""
