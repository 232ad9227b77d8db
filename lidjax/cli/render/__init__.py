"""How each command prints its results for people."""
