"""What a log may hold of attempts beside their verdicts: the answers, their tokens, and the verdicts of a verifier."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from typing import NamedTuple

import numpy as np
from jaxtyping import Float, Int

LONGEST_ANSWER = 200  # characters that are kept; a longer answer is known by its beginning and a checksum


class AttemptDetail(NamedTuple):
    """What is known of one attempt beside its verdict; None where the log does not say."""

    answer: str | None = None
    """The answer that was extracted from the text, to be compared with those of other attempts."""
    tokens: float | None = None
    """Number of tokens that the attempt took."""
    accepted: bool | None = None
    """Whether a verifier accepted the answer."""


class AnswerCounts(NamedTuple):
    """The distinct answers to one problem, and how often each was given.

    Example:
        >>> from lidjax.evals import AnswerCounts
        >>> AnswerCounts(("18", "20"), (3, 1), (True, False), silent=1).counts
        (3, 1)
    """

    texts: tuple[str, ...]
    """The answers, in the order of their first appearance."""
    counts: tuple[int, ...]
    """How many attempts gave each of them."""
    correct: tuple[bool, ...]
    """Whether each is right: whether most of its attempts are marked so."""
    silent: int
    """How many attempts gave no answer."""


class TokenUse(NamedTuple):
    """Tokens of the attempts at each of P problems, those of wrong attempts and those of right ones."""

    total: Float[np.ndarray, "p 2"]
    """Sum of the tokens (P, 2), wrong attempts first."""
    attempts: Int[np.ndarray, "p 2"]
    """Number of attempts that they are of (P, 2); others do not say."""

    def means(self) -> Float[np.ndarray, "p 2"]:
        """Mean tokens of a wrong and of a right attempt at each problem (P, 2).

        A problem without such attempts has the mean over the group, and a group without them that of all its attempts.
        """
        total, attempts = self.total.sum(axis=0), self.attempts.sum(axis=0)
        overall = total.sum() / max(attempts.sum(), 1)
        group = np.where(attempts > 0, total / np.maximum(attempts, 1), overall)
        return np.where(self.attempts > 0, self.total / np.maximum(self.attempts, 1), group)


class VerifierCounts(NamedTuple):
    """How a verifier judged the attempts at each of P problems, wrong attempts and right ones."""

    judged: Int[np.ndarray, "p 2"]
    """Number of attempts with a verdict of the verifier (P, 2), wrong attempts first."""
    accepted: Int[np.ndarray, "p 2"]
    """Number of those that it accepted (P, 2)."""


class GroupDetails(NamedTuple):
    """The details of the P problems of a group; None where the log does not have them."""

    answers: tuple[AnswerCounts, ...] | None = None
    tokens: TokenUse | None = None
    verifier: VerifierCounts | None = None


NO_DETAILS = GroupDetails()


@dataclass
class ProblemDetails:
    """Collects the details of the attempts at one problem."""

    answers: dict[str, list[int]] = field(default_factory=dict[str, list[int]])
    """By answer, how many attempts gave it and how many of them are right."""
    silent: int = 0
    tokens: list[float] = field(default_factory=lambda: [0.0, 0.0])
    counted: list[int] = field(default_factory=lambda: [0, 0])
    judged: list[int] = field(default_factory=lambda: [0, 0])
    accepted: list[int] = field(default_factory=lambda: [0, 0])

    def add(self, detail: AttemptDetail, *, right: bool) -> None:
        """Add one attempt."""
        if detail.answer is None:
            self.silent += 1
        else:
            entry = self.answers.setdefault(short_answer(detail.answer), [0, 0])
            entry[0] += 1
            entry[1] += right
        if detail.tokens is not None:
            self.tokens[right] += detail.tokens
            self.counted[right] += 1
        if detail.accepted is not None:
            self.judged[right] += 1
            self.accepted[right] += detail.accepted


def short_answer(text: str) -> str:
    """An answer as it is kept: long ones by their beginning and a checksum, so that memory does not hold every text."""
    if len(text) <= LONGEST_ANSWER:
        return text
    return f"{text[:40]}… {hashlib.blake2b(text.encode(), digest_size=8).hexdigest()}"


def collect_details(problems: Sequence[ProblemDetails | None]) -> GroupDetails:
    """The details of a group from those of its problems; nothing where a problem has none."""
    known = [problem for problem in problems if problem is not None]
    if len(known) < len(problems) or not known:
        return NO_DETAILS
    answers = None
    if any(problem.answers for problem in known):
        answers = tuple(
            AnswerCounts(
                tuple(problem.answers),
                tuple(count for count, _ in problem.answers.values()),
                tuple(2 * right > count for count, right in problem.answers.values()),
                problem.silent,
            )
            for problem in known
        )
    counted = np.array([problem.counted for problem in known], dtype=np.int64)
    judged = np.array([problem.judged for problem in known], dtype=np.int64)
    tokens = verifier = None
    if counted.any():
        tokens = TokenUse(np.array([problem.tokens for problem in known], dtype=np.float64), counted)
    if judged.any():
        verifier = VerifierCounts(judged, np.array([problem.accepted for problem in known], dtype=np.int64))
    return GroupDetails(answers, tokens, verifier)


def take_details(details: GroupDetails, index: Sequence[int]) -> GroupDetails:
    """The details of some problems, in the order of `index`."""
    chosen = np.asarray(index, dtype=np.int64)
    answers, tokens, verifier = details
    return GroupDetails(
        None if answers is None else tuple(answers[i] for i in index),
        None if tokens is None else TokenUse(*(part[chosen] for part in tokens)),
        None if verifier is None else VerifierCounts(*(part[chosen] for part in verifier)),
    )


def add_details(parts: Sequence[tuple[Sequence[str], GroupDetails]], problems: Iterable[str]) -> GroupDetails:
    """The details of several groups, by the names of their problems, as those of one group with all `problems`.

    What not all groups have is left out.
    """
    place = {problem: index for index, problem in enumerate(problems)}
    where = [np.array([place[name] for name in names], dtype=np.int64) for names, _ in parts]

    def total(values: Sequence[np.ndarray]) -> np.ndarray:
        found = np.zeros((len(place), 2), dtype=values[0].dtype)
        for index, value in zip(where, values, strict=True):
            np.add.at(found, index, value)
        return found

    tokens = [details.tokens for _, details in parts if details.tokens is not None]
    verifiers = [details.verifier for _, details in parts if details.verifier is not None]
    listed = [details.answers for _, details in parts if details.answers is not None]
    answers = None
    if len(listed) == len(parts):
        each: list[list[AnswerCounts]] = [[] for _ in place]
        for index, counts in zip(where, listed, strict=True):
            for at, count in zip(index.tolist(), counts, strict=True):
                each[at].append(count)
        answers = tuple(add_answers(counts) for counts in each)
    return GroupDetails(
        answers,
        TokenUse(*(total(values) for values in zip(*tokens, strict=True)))
        if len(tokens) == len(parts)
        else None,
        VerifierCounts(*(total(values) for values in zip(*verifiers, strict=True)))
        if len(verifiers) == len(parts)
        else None,
    )


def add_answers(parts: Sequence[AnswerCounts]) -> AnswerCounts:
    """The answers to one problem in several groups, added up."""
    found: dict[str, list[int]] = {}
    for part in parts:
        for text, count, correct in zip(part.texts, part.counts, part.correct, strict=True):
            entry = found.setdefault(text, [0, 0])
            entry[0] += count
            entry[1] += count * correct
    return AnswerCounts(
        tuple(found),
        tuple(count for count, _ in found.values()),
        tuple(2 * right > count for count, right in found.values()),
        sum(part.silent for part in parts),
    )
