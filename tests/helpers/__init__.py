"""What several test files share; `tests` is on the path, so they import it as `helpers`."""

from helpers import typechecker as typechecker  # named in pyproject.toml, where jaxtyping looks it up
