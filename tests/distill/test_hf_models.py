"""Hugging Face models, tiny ones with random weights, saved and loaded as real ones are."""

import dataclasses
import json

import numpy as np
import pytest
from scipy.stats import chisquare

from lidjax import InputError
from lidjax.distill.gsm8k import read_gsm8k
from lidjax.distill.run import run_distillation
from lidjax.distill.spec import distill_spec_from_dict
from lidjax.distill.spec_tables import HuggingFace, Lora

NEEDED = "Hugging Face models need torch, transformers and peft: pip install -e '.[distill]'"
torch, transformers, tokenizers, _ = (
    pytest.importorskip(name, reason=NEEDED) for name in ("torch", "transformers", "tokenizers", "peft")
)
models_of = pytest.importorskip("lidjax.distill.hf_models", reason=NEEDED)
LanguageModel = models_of.LanguageModel

CHARACTERS = [chr(i) for i in range(32, 127)] + ["\n"]


@pytest.fixture(scope="module")
def models(tmp_path_factory):
    """Paths of a tiny T5 and a tiny Llama that read single characters."""
    folder = tmp_path_factory.mktemp("models")
    vocabulary = {token: i for i, token in enumerate(["<pad>", "</s>", "<unk>", *CHARACTERS])}
    core = tokenizers.Tokenizer(tokenizers.models.WordLevel(vocabulary, unk_token="<unk>"))
    core.pre_tokenizer = tokenizers.pre_tokenizers.Split(tokenizers.Regex(r"[\s\S]"), "isolated")
    core.decoder = tokenizers.decoders.Fuse()
    special = {"pad_token": "<pad>", "eos_token": "</s>", "unk_token": "<unk>"}
    tokenizer = transformers.PreTrainedTokenizerFast(tokenizer_object=core, **special)
    ids = {"vocab_size": len(vocabulary), "pad_token_id": 0, "eos_token_id": 1}
    torch.manual_seed(0)
    seq2seq = transformers.T5ForConditionalGeneration(
        transformers.T5Config(
            d_model=32, d_kv=8, d_ff=64, num_layers=2, num_heads=4, decoder_start_token_id=0, **ids
        )
    )
    causal = transformers.LlamaForCausalLM(
        transformers.LlamaConfig(
            hidden_size=32,
            intermediate_size=64,
            num_hidden_layers=2,
            num_attention_heads=4,
            num_key_value_heads=2,
            bos_token_id=1,
            **ids,
        )
    )
    with (
        torch.no_grad()
    ):  # answers neither all alike nor drawn uniformly: as they start, they are one or the other
        seq2seq.shared.weight *= 0.4
        causal.lm_head.weight *= 20
    for name, model in (("seq2seq", seq2seq), ("causal", causal)):
        model.save_pretrained(folder / name)
        tokenizer.save_pretrained(folder / name)
    return folder


@pytest.fixture(scope="module")
def questions(tmp_path_factory):
    """Twelve training and six held-out questions in GSM8K's form."""
    folder = tmp_path_factory.mktemp("gsm8k")
    for split, start, count in (("train", 0, 12), ("test", 50, 6)):
        rows = [
            {"question": f"{i} and {i + 1}?", "answer": f"{i}+{i + 1}\n#### {2 * i + 1}"}
            for i in range(start, start + count)
        ]
        (folder / f"{split}.jsonl").write_text("".join(json.dumps(row) + "\n" for row in rows))
    return folder


def table(models, questions, kind: str) -> dict:
    return {
        "name": kind,
        "huggingface": {
            "teacher": str(models / "seq2seq"),
            "student": str(models / kind),
            "train": str(questions / "train.jsonl"),
            "test": str(questions / "test.jsonl"),
            "prompt": "{question} ",
            "max_answer_tokens": 8,
            "generate_batch": 16,
            "device": "cpu",
        },
        "lora": {"rank": 2, "steps": 4, "batch": 4, "learning_rate": 1e-3},
        "grid": {"n": [3, 10], "seed": [0, 1]},
        "evaluation": {"questions": 6, "attempts": 8, "teacher_attempts": 6},
        "fit": {"window": [1, 8]},
    }


def settings() -> HuggingFace:
    return HuggingFace(prompt="{question} ", max_answer_tokens=8, generate_batch=512, device="cpu")


@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
def test_loads_trains_samples_and_goes_on_where_it_was(models, questions, kind, tmp_path):
    spec = distill_spec_from_dict(table(models, questions, kind))
    whole = run_distillation(spec, out=tmp_path / "whole")
    assert (whole["status"] == 0).all()
    assert whole["attempts"].shape == (2, 2, 3, 6)
    assert np.isfinite(whole["train_loss"]).all()
    assert np.isfinite(whole["lgen"]).all()
    assert {p.name for p in (tmp_path / "whole" / "work").iterdir()} > {
        "teacher-00000.jsonl",
        "adapter_n3_seed0",
    }

    class Stop(Exception):
        pass

    def stop(stage, steps, *, done=0):
        for count, step in enumerate(steps):
            if stage == "students" and count == 2:
                raise Stop
            yield step

    with pytest.raises(Stop):
        run_distillation(spec, out=tmp_path / "cut", progress=stop)
    stages = {}

    def record(stage, steps, *, done=0):
        stages[stage] = len(steps)
        return steps

    resumed = run_distillation(spec, out=tmp_path / "cut", progress=record)
    assert stages == {"teacher answers": 0, "students": 2}
    for name in ("correct", "attempts", "greedy", "lgen"):
        np.testing.assert_array_equal(resumed[name], whole[name])


@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
def test_padding_and_batching_change_no_log_probability(models, kind):
    model = LanguageModel(str(models / kind), settings())
    questions, answers = ["1?", "a much longer question 22?"], ["#### 7", "3"]
    together = model.answer_log_probs(model.batch(questions, answers)).tolist()
    alone = [
        model.answer_log_probs(model.batch([q], [a])).item() for q, a in zip(questions, answers, strict=True)
    ]
    np.testing.assert_allclose(together, alone, rtol=1e-5)
    assert together[0] != pytest.approx(
        model.answer_log_probs(model.batch(["2?"], ["#### 7"])).item(), rel=1e-5
    )


@pytest.mark.parametrize("kind", ["seq2seq", "causal"])
@pytest.mark.parametrize("temperature", [1.0, 0.5])
def test_first_tokens_are_drawn_with_the_probabilities_of_their_logits(models, kind, temperature):
    """Chi-square at the 1e-3 level, one fixed stream."""
    model = LanguageModel(str(models / kind), settings())
    with torch.no_grad():
        probability = {c: first_log_prob(model, c, temperature).exp().item() for c in CHARACTERS}
    count = 3000
    model.settings = dataclasses.replace(model.settings, max_answer_tokens=1)
    (drawn,) = model.sample(["5?"], draws=count, temperature=temperature, seed=0)
    common = [c for c in CHARACTERS if count * probability[c] >= 8]
    # the rest: rare characters, and tokens that are not written
    seen = np.array([drawn.count(c) for c in common], dtype=float)
    expected = count * np.array([probability[c] for c in common])
    seen, expected = (np.append(x, count - x.sum()) for x in (seen, expected))
    assert len(common) >= 4
    assert chisquare(seen, expected).pvalue > 1e-3
    assert chisquare(seen, np.full(len(seen), count / len(seen))).pvalue < 1e-6


def first_log_prob(model, character: str, temperature: float):
    batch = model.batch(["5?"], [character])
    if model.seq2seq:
        logits, target = model.model(**batch).logits[0, 0], batch["labels"][0, 0]
    else:
        place = int((batch["labels"][0] >= 0).nonzero()[0])
        logits, target = model.model(**batch).logits[0, place - 1], batch["labels"][0, place]
    return torch.log_softmax(logits / temperature, dim=-1)[target]


def test_an_untrained_adapter_is_the_base_and_training_lowers_the_loss(models):
    model = LanguageModel(str(models / "causal"), settings())
    rows = (["1?", "2?"], ["#### 3", "#### 5"])
    base = model.loss(*rows)
    before = {name: w.clone() for name, w in model.model.state_dict().items()}
    assert model.adapt(*rows, Lora(rank=2, steps=1, learning_rate=1e-12), seed=0)
    assert model.loss(*rows) == pytest.approx(base, rel=1e-5)
    model.drop_adapter()
    assert model.adapt(*rows, Lora(rank=4, steps=30, batch=4, learning_rate=1e-2), seed=0)
    assert model.loss(*rows) < 0.95 * base
    model.drop_adapter()
    assert model.loss(*rows) == pytest.approx(base, rel=1e-6)
    for name, w in model.model.state_dict().items():
        assert torch.equal(w, before[name])


def test_a_training_that_diverges_marks_its_student(models, questions):
    spec = distill_spec_from_dict(
        table(models, questions, "causal")
        | {"lora": {"rank": 2, "steps": 6, "batch": 4, "learning_rate": 1e30}}
    )
    data = run_distillation(spec)
    assert (data["status"] == 1).all()
    assert (data["attempts"] == 0).all()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"grid": {"n": [13]}}, "has 12 questions"),
        ({"evaluation": {"questions": 7, "attempts": 8}}, "has 6"),
        ({"huggingface": {"test": "TRAIN"}}, "are among the training questions"),
        ({"huggingface": {"student": "/nowhere/model"}}, "cannot be loaded"),
        ({"huggingface": {"train": "/nowhere.jsonl"}}, "no such file"),
    ],
)
def test_bad_input_is_said(models, questions, change, words):
    found = table(models, questions, "causal")
    for key, value in change.items():
        found[key] = found[key] | value
    found["huggingface"]["test"] = found["huggingface"]["test"].replace(
        "TRAIN", str(questions / "train.jsonl")
    )
    with pytest.raises(InputError, match=words):
        run_distillation(distill_spec_from_dict(found))


def test_real_questions_are_read(real_data):
    rows = read_gsm8k(str(real_data / "gsm8k" / "test.jsonl"), "test")
    assert len(rows) == 1319
    assert [row.answer for row in rows[:3]] == [18, 3, 70000]
