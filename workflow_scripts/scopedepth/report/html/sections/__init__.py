"""The parts of the report, one a file: each turns results into what its template shows."""
