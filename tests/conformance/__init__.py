"""Published protocols against their sources' own code: the arrays, and what the sources answer on them."""
