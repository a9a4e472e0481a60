"""A finished study, to give away."""
