"""Families of models: how one kind of network is loaded and run, one a file."""
