"""Tokens of the embedded models. A token is a whole word or a whole number, so that sequences are short."""

import numpy as np
from jaxtyping import Int

PAD, END = "<pad>", "<end>"
NAMES = ("Ann", "Ben", "Eva", "Ian", "Mia", "Tom")
THINGS = ("pens", "cups", "eggs", "keys", "maps", "nuts")
WORDS = ("has", "gets", "loses", "doubles", "triples", "?", "####")
LARGEST = 99
"""The largest number that has a token; the smallest is 0."""
TOKENS = (PAD, END, *(str(i) for i in range(LARGEST + 1)), *WORDS, *NAMES, *THINGS)
IDS = {token: index for index, token in enumerate(TOKENS)}
PAD_ID, END_ID = IDS[PAD], IDS[END]


def encode(text: str) -> list[int]:
    """Ids of a text whose words and numbers are separated by spaces."""
    return [IDS[word] for word in text.split()]


def decode(ids: Int[np.ndarray, " t"]) -> str:
    """The text up to the first end or padding."""
    words: list[str] = []
    for index in np.asarray(ids).tolist():
        if index in (PAD_ID, END_ID):
            break
        words.append(TOKENS[index])
    return " ".join(words)


def pad_left(ids: list[int], length: int) -> Int[np.ndarray, " p"]:
    """A question, padded in front: all questions end at the same position, where answers begin."""
    return np.array([PAD_ID] * (length - len(ids)) + ids, dtype=np.int32)


def pad_right(ids: list[int], length: int) -> Int[np.ndarray, " r"]:
    """An answer with its end, padded behind."""
    return np.array([*ids, END_ID] + [PAD_ID] * (length - len(ids) - 1), dtype=np.int32)
