"""Tokens of the embedded route: whole words and whole numbers, so that sequences are short."""

import numpy as np
from jaxtyping import Int

PAD, END = "<pad>", "<end>"
NAMES = ("Ann", "Ben", "Eva", "Ian", "Mia", "Tom")
THINGS = ("pens", "cups", "eggs", "keys", "maps", "nuts")
WORDS = ("has", "gets", "loses", "doubles", "triples", "?", "####")
LARGEST = 99
TOKENS = (PAD, END, *(str(i) for i in range(LARGEST + 1)), *WORDS, *NAMES, *THINGS)
IDS = {token: index for index, token in enumerate(TOKENS)}
PAD_ID, END_ID = IDS[PAD], IDS[END]


def encode(text: str) -> list[int]:
    """Ids of a text whose words and numbers are parted by spaces."""
    return [IDS[word] for word in text.split()]


def decode(ids) -> str:
    """The text up to the first end or padding."""
    words = []
    for index in np.asarray(ids).tolist():
        if index in (PAD_ID, END_ID):
            break
        words.append(TOKENS[index])
    return " ".join(words)


def pad_left(ids: list[int], length: int) -> Int[np.ndarray, " p"]:
    """Questions end where answers begin, at the same place for all."""
    return np.array([PAD_ID] * (length - len(ids)) + ids, dtype=np.int32)


def pad_right(ids: list[int], length: int) -> Int[np.ndarray, " r"]:
    """Answers end with END and are filled up."""
    return np.array([*ids, END_ID] + [PAD_ID] * (length - len(ids) - 1), dtype=np.int32)
