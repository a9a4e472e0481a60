"""What the command `scopedepth` can do, one file a subcommand. It looks; results are made by Snakemake alone."""
