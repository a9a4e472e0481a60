"""Timing that can be quoted: what is inside each clock is stated, and every timed call is kept."""
