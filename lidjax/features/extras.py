"""What the readers of CIFAR-10H and of weights say when a package of the extra `cifar10h` is absent or fails."""

INSTALL = "pip install 'lidjax[cifar10h]'"


def first_line(error: Exception) -> str:
    """The first line of an error of another package, which may be many lines long or empty."""
    return (str(error).splitlines() or ["no reason given"])[0]
