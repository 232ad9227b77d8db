"""lidjax."""
