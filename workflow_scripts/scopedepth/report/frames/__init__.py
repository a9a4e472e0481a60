"""Pages beside the report, in which the frames of a study can be looked at."""
