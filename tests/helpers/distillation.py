"""A teacher-student experiment that takes seconds, and what tests do to its runs."""

import tomllib

SPEC = """
[problems]
steps = 1
operand = 9
distractors = 0
[embedded.teacher]
width = 16
layers = 1
heads = 2
steps = 60
rows = 400
batch = 16
[embedded.student]
width = 16
layers = 1
heads = 2
steps = 60
rows = 400
batch = 16
[lora]
rank = 2
steps = 10
batch = 4
[grid]
n = [2, 4, 8, 16, 32]
seed = [0, 1]
[evaluation]
questions = 12
attempts = 16
teacher_attempts = 20
[fit]
window = [1, 16]
replicates = 20
"""

VARIABLES = ("attempts", "correct", "greedy", "train_loss", "heldout_loss", "lgen", "status")
"""Variables of a student."""


def spec_table(**changes) -> dict:
    """The spec as nested dicts, with some of its tables replaced."""
    return tomllib.loads(SPEC) | changes


def grid(*, n=(2, 4, 8, 16, 32), seed=(0, 1)) -> dict:
    """The table [grid] of a spec."""
    return {"n": list(n), "seed": list(seed)}


class Interrupted(Exception):
    pass


def interrupt_in(name, after):
    """A `progress` that breaks the run in a stage, after so many of its steps."""

    def progress(stage, steps, *, done=0):
        for count, step in enumerate(steps):
            if stage == name and count == after:
                raise Interrupted
            yield step

    return progress


def record(seen):
    """A `progress` that writes into `seen` how many steps of a stage are to do, and how many were done before."""

    def progress(stage, steps, *, done=0):
        seen[stage] = len(steps), done
        return steps

    return progress


def assert_same_students(data, expected):
    """Every variable of every student is the same bit for bit."""
    for name in VARIABLES:
        assert data[name].values.tobytes() == expected[name].values.tobytes(), name


def damage(path, at=5):
    """Flip one bit of the byte number `at` of a file."""
    content = bytearray(path.read_bytes())
    content[at] ^= 16
    path.write_bytes(bytes(content))


def chunk_of(out, name, *index):
    """The file of a chunk of a store in a folder."""
    return out.joinpath("results.zarr", name, "c", *map(str, index))
