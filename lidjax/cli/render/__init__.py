"""How the commands print their results: a module for each part of the library."""
