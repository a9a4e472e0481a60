"""Words and codes that several parts share."""
