"""The run-time checker that pytest puts on the kernels (option `--jaxtyping-packages` in pyproject.toml)."""

from beartype import BeartypeConf, beartype

# an int is welcome where a float is: what Python's type system means by `float`
check = beartype(conf=BeartypeConf(is_pep484_tower=True))
