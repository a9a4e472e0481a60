"""The Parquet tables: the contract with analysts, a file for each stage that writes them."""
