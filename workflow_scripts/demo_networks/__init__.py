"""Small networks of the real classes, trained here on phantoms, so that the demonstration runs whole models
without a network.

They are made by `snakemake demo_weights` and committed in demo_weights/, whose README.md is their model card.
The demo's own sequences take no part in training.
"""
