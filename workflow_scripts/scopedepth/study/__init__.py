"""A study: its jobs, where their results lie, what they are made from, what they need."""
