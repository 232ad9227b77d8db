"""A Hugging Face language model, encoder-decoder or causal: sampling, scoring, LoRA.

Importing this module imports torch, transformers and peft.
"""

# pyright: reportUnknownParameterType=false, reportUntypedFunctionDecorator=false
# (these packages are an extra: where they are not installed, none of their types are known)

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import peft  # pyright: ignore[reportMissingImports] - an extra, like the two below
import torch  # pyright: ignore[reportMissingImports]
import transformers  # pyright: ignore[reportMissingImports]

from lidjax.distill.spec_tables import HuggingFace, Lora
from lidjax.errors import InputError

IGNORED = -100
"""Label of a token that does not count, as in every loss of transformers."""
CLIP = 1.0
"""Largest norm of the gradient: the usual guard against a rare large step."""


def pick_device(settings: HuggingFace) -> torch.device:
    """The device that `settings` names. Raises InputError for a name that torch does not know."""
    if settings.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        return torch.device(settings.device)
    except RuntimeError as error:
        raise InputError(f"huggingface.device = {settings.device!r}: {error}") from None


def pick_dtype(settings: HuggingFace, device: torch.device) -> torch.dtype:
    """The precision that `settings` names, on `device`."""
    if settings.dtype == "auto":
        half = device.type == "cuda" and torch.cuda.is_bf16_supported()
        return torch.bfloat16 if half else torch.float32
    return getattr(torch, settings.dtype)


class LanguageModel:
    """A model with its tokenizer. Its methods take and return plain text."""

    def __init__(self, name: str, settings: HuggingFace):
        self.settings = settings
        self.device = pick_device(settings)
        dtype = pick_dtype(settings, self.device)
        try:
            config = transformers.AutoConfig.from_pretrained(name)
            self.tokenizer: Any = transformers.AutoTokenizer.from_pretrained(name)
            self.seq2seq = bool(config.is_encoder_decoder)
            kind = transformers.AutoModelForSeq2SeqLM if self.seq2seq else transformers.AutoModelForCausalLM
            model: Any = kind.from_pretrained(name, dtype=dtype)
        except (OSError, ValueError) as error:
            raise InputError(f"model {name!r} cannot be loaded: {str(error).splitlines()[0]}") from None
        if self.tokenizer.eos_token_id is None:
            raise InputError(
                f"model {name!r}: its tokenizer has no end-of-sequence token, so answers would not end"
            )
        if self.tokenizer.pad_token_id is None:
            self.tokenizer.pad_token = self.tokenizer.eos_token
        self.model = model.to(self.device).eval()

    def prompt_ids(self, question: str) -> list[int]:
        """The tokens of the prompt; of one that is too long, the last."""
        text = self.settings.prompt.replace("{question}", question)
        ids = self.tokenizer(text, add_special_tokens=self.seq2seq)["input_ids"]
        return ids[-self.settings.max_question_tokens :]

    def answer_ids(self, answer: str) -> list[int]:
        """The tokens of an answer with its end; of one that is too long, the first."""
        ids = self.tokenizer(answer, add_special_tokens=False)["input_ids"]
        return [*ids[: self.settings.max_answer_tokens - 1], self.tokenizer.eos_token_id]

    def sample(
        self, questions: Sequence[str], *, draws: int, temperature: float, seed: int
    ) -> list[list[str]]:
        """`draws` answers to each question, from the distribution without truncation; temperature 0 is greedy.

        The answers depend on `seed`, and on huggingface.generate_batch, which says how many are sampled side by side.
        """
        torch.manual_seed(seed)
        draws_at_once = min(draws, self.settings.generate_batch)
        questions_at_once = max(1, self.settings.generate_batch // draws_at_once)
        answers: list[list[str]] = [[] for _ in questions]
        for start in range(0, len(questions), questions_at_once):
            part = questions[start : start + questions_at_once]
            missing = draws
            while missing > 0:
                count = min(draws_at_once, missing)
                for index, text in enumerate(self._generate(part, count, temperature)):
                    answers[start + index // count].append(text)
                missing -= count
        return answers

    @torch.no_grad()
    def _generate(self, questions: Sequence[str], count: int, temperature: float) -> list[str]:
        """`count` answers to each question, in one batch; the answers to a question follow each other."""
        ids, mask = self._pad([self.prompt_ids(q) for q in questions], left=not self.seq2seq)
        method: dict[str, Any] = {"do_sample": False}
        if temperature > 0:
            method = {"do_sample": True, "temperature": temperature, "top_k": 0, "top_p": 1.0}
        out = self.model.generate(
            input_ids=ids,
            attention_mask=mask,
            num_beams=1,
            num_return_sequences=count,
            max_new_tokens=self.settings.max_answer_tokens,
            pad_token_id=self.tokenizer.pad_token_id,
            **method,
        )
        new = out if self.seq2seq else out[:, ids.shape[1] :]
        return self.tokenizer.batch_decode(new, skip_special_tokens=True)

    def batch(self, questions: Sequence[str], answers: Sequence[str]) -> dict[str, torch.Tensor]:
        """Inputs and labels of a loss over the answers' tokens."""
        prompts = [self.prompt_ids(q) for q in questions]
        targets = [self.answer_ids(a) for a in answers]
        if self.seq2seq:
            ids, mask = self._pad(prompts)
            return {"input_ids": ids, "attention_mask": mask, "labels": self._pad(targets, fill=IGNORED)[0]}
        whole = [p + t for p, t in zip(prompts, targets, strict=True)]
        ids, mask = self._pad(whole)
        labels = self._pad(
            [[IGNORED] * len(p) + t for p, t in zip(prompts, targets, strict=True)], fill=IGNORED
        )[0]
        return {"input_ids": ids, "attention_mask": mask, "labels": labels}

    def _pad(
        self, rows: list[list[int]], *, left: bool = False, fill: int | None = None
    ) -> tuple[torch.Tensor, torch.Tensor]:
        """Rows of ids padded to the same width with `fill` (by default the padding token), and the attention mask."""
        width = max(len(row) for row in rows)
        fill = self.tokenizer.pad_token_id if fill is None else fill
        blank = [[fill] * (width - len(row)) for row in rows]
        ids = [b + row if left else row + b for row, b in zip(rows, blank, strict=True)]
        ones = [[0] * len(b) + [1] * len(row) if left else [1] * len(row) + [0] * len(b)
                for row, b in zip(rows, blank, strict=True)]  # fmt: skip
        return torch.tensor(ids, device=self.device), torch.tensor(ones, device=self.device)

    def answer_log_probs(self, batch: dict[str, torch.Tensor], temperature: float = 1.0) -> torch.Tensor:
        """log p of each whole answer of a batch."""
        logits, labels = self.model(**batch).logits.float(), batch["labels"]
        if not self.seq2seq:
            logits, labels = logits[:, :-1], labels[:, 1:]
        log_probs = torch.log_softmax(logits / temperature, dim=-1)
        chosen = log_probs.gather(-1, labels.clamp(min=0)[..., None])[..., 0]
        return (chosen * (labels != IGNORED)).sum(-1)

    @torch.no_grad()
    def loss(self, questions: Sequence[str], answers: Sequence[str], *, temperature: float = 1.0) -> float:
        """Mean cross-entropy of whole answers, in nats an answer."""
        total, size = 0.0, max(1, self.settings.generate_batch // 4)
        for start in range(0, len(questions), size):
            batch = self.batch(questions[start : start + size], answers[start : start + size])
            total -= float(self.answer_log_probs(batch, temperature).double().sum())
        return total / max(1, len(questions))

    def adapt(self, questions: Sequence[str], answers: Sequence[str], lora: Lora, *, seed: int) -> bool:
        """Put a LoRA adapter on the model's default matrices and train it; returns False if the training diverged."""
        torch.manual_seed(seed)
        task = peft.TaskType.SEQ_2_SEQ_LM if self.seq2seq else peft.TaskType.CAUSAL_LM
        config: Any = peft.LoraConfig(r=lora.rank, lora_alpha=lora.alpha, lora_dropout=0.0, task_type=task)  # pyright: ignore[reportArgumentType]
        try:
            self.model = peft.get_peft_model(self.model, config)
        except ValueError:  # an architecture that peft has no default matrices for
            config.target_modules = "all-linear"
            self.model = peft.get_peft_model(self.model, config)
        weights = [w for w in self.model.parameters() if w.requires_grad]
        optimiser = torch.optim.AdamW(weights, lr=lora.learning_rate, weight_decay=0.0)
        rise = max(1.0, lora.steps / 20)
        schedule = torch.optim.lr_scheduler.LambdaLR(
            optimiser,
            lambda step: max(
                0.0, min((step + 1) / rise, (lora.steps - step) / max(1.0, lora.steps - rise + 1))
            ),
        )
        picks = torch.Generator().manual_seed(seed)
        self.model.train()
        for _ in range(lora.steps):
            chosen: list[int] = torch.randint(len(questions), (lora.batch,), generator=picks).tolist()
            batch = self.batch([questions[i] for i in chosen], [answers[i] for i in chosen])
            tokens = (batch["labels"] != IGNORED).sum()
            loss = -self.answer_log_probs(batch).sum() / tokens
            if not torch.isfinite(loss):
                self.model.eval()
                return False
            optimiser.zero_grad()
            loss.backward()
            torch.nn.utils.clip_grad_norm_(weights, CLIP)
            optimiser.step()
            schedule.step()
        self.model.eval()
        return True

    def save_adapter(self, folder: Path) -> None:
        """Write the adapter as files of peft."""
        self.model.save_pretrained(folder)

    def drop_adapter(self) -> None:
        """Return to the base model, whose weights were never changed."""
        self.model = self.model.unload()
