"""Any sequence classifier as a scorer: what it computes, and that broken ones are refused."""

from __future__ import annotations

import contextlib
import functools
import inspect
import json
import re
import shutil
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file
from scipy.special import expit
from tokenizers import Tokenizer, pre_tokenizers, processors, trainers
from tokenizers.models import WordPiece
from torch.nn.attention import SDPBackend, sdpa_kernel
from transformers import (
    AutoModelForSequenceClassification,
    AutoTokenizer,
    BertConfig,
    BertForMaskedLM,
    BertForSequenceClassification,
    GPT2Config,
    GPT2ForSequenceClassification,
    LlamaConfig,
    LlamaForSequenceClassification,
    PreTrainedTokenizerFast,
    Qwen2Config,
    Qwen2ForSequenceClassification,
    RobertaConfig,
    RobertaForSequenceClassification,
)

from wfine_utils.chains.taxonomy import Chain, Requirement, Response
from wfine_utils.errors import WfineError
from wfine_utils.models import devices
from wfine_utils.rewards import classifier_checks as checks
from wfine_utils.rewards.classifier import ClassifierScorer
from wfine_utils.tiny_world.vocabulary import TOPICS
from wfine_utils.tiny_world.writer import sample_query, write
from wfine_utils.weval.scorers import Scorer, score_all

KINDS = ("llama", "qwen2", "gpt2", "bert", "roberta")
DECODERS = KINDS[:3]
WORDS = "the heron stood in a river and waited . be brief mention no rain again ? boats".split()

pytestmark = pytest.mark.usefixtures("one_thread")


def wordpiece() -> PreTrainedTokenizerFast:
    """A tokenizer for text pairs, in the manner of BERT's, trained on the spot."""
    special = ["[PAD]", "[UNK]", "[CLS]", "[SEP]"]
    backend = Tokenizer(WordPiece(unk_token="[UNK]"))
    backend.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
    letters = [chr(i) for i in range(33, 127)]
    trainer = trainers.WordPieceTrainer(
        vocab_size=400, special_tokens=special, initial_alphabet=letters, show_progress=False
    )
    backend.train_from_iterator([" ".join(WORDS), " ".join(letters)] * 3, trainer)
    backend.post_processor = processors.TemplateProcessing(
        single="[CLS] $A [SEP]", pair="[CLS] $A [SEP] $B:1 [SEP]:1",
        special_tokens=[("[CLS]", 2), ("[SEP]", 3)],
    )  # fmt: skip
    return PreTrainedTokenizerFast(
        tokenizer_object=backend, pad_token="[PAD]", unk_token="[UNK]", cls_token="[CLS]",
        sep_token="[SEP]", model_input_names=["input_ids", "token_type_ids", "attention_mask"],
    )  # fmt: skip


def save_classifier(
    folder: Path, kind: str, tokenizer, *, scale: float = 20.0, num_labels=None, **changes
) -> Path:
    """A tiny classifier with random weights, its head enlarged so that scores differ."""
    torch.manual_seed(1)
    size = {"vocab_size": 576, "hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    places = {"intermediate_size": 128, "max_position_embeddings": 256}
    common = {"pad_token_id": tokenizer.pad_token_id, **size, **places}
    if kind == "llama":
        config = LlamaConfig(**{**common, "num_labels": num_labels or 1, **changes})
        model = LlamaForSequenceClassification(config)
    elif kind == "qwen2":
        common["num_key_value_heads"] = 2
        config = Qwen2Config(**{**common, "num_labels": num_labels or 2, **changes})
        model = Qwen2ForSequenceClassification(config)
    elif kind == "gpt2":
        shape = {"vocab_size": 576, "n_embd": 64, "n_layer": 2, "n_head": 2, "n_positions": 256}
        given = {"pad_token_id": tokenizer.pad_token_id, "num_labels": num_labels or 1}
        model = GPT2ForSequenceClassification(GPT2Config(**{**shape, **given, **changes}))
    elif kind == "bert":
        config = BertConfig(**{**common, "num_labels": num_labels or 2, **changes})
        model = BertForSequenceClassification(config)
    else:
        config = RobertaConfig(**{**common, "num_labels": num_labels or 1, **changes})
        model = RobertaForSequenceClassification(config)
    with torch.no_grad():
        for parameter in model.parameters():
            if parameter.ndim > 1:
                parameter.mul_(3.0)  # fresh weights are so small that all texts look alike
        head = model.score if hasattr(model, "score") else model.classifier
        getattr(head, "out_proj", head).weight.mul_(scale)
    model.save_pretrained(folder)
    tokenizer.save_pretrained(folder)
    return folder


@pytest.fixture(scope="session")
def chat_tokenizer(tiny_base):
    return AutoTokenizer.from_pretrained(tiny_base)


@pytest.fixture(scope="session")
def folders(tmp_path_factory, chat_tokenizer) -> dict[str, Path]:
    root = tmp_path_factory.mktemp("classifiers")
    return {
        kind: save_classifier(
            root / kind, kind, chat_tokenizer if kind in DECODERS else wordpiece()
        )
        for kind in KINDS
    }


@pytest.fixture(scope="session")
def scorers(folders) -> dict[str, ClassifierScorer]:
    return {kind: ClassifierScorer(folder, name=kind) for kind, folder in folders.items()}


@pytest.fixture(scope="session")
def chains() -> list[Chain]:
    rng = np.random.default_rng(0)
    made = []
    for i in range(4):
        query = sample_query(rng, TOPICS["test"])
        n = len(query.requirements)
        kept_sets = [tuple(j < k for j in range(n)) for k in range(n + 1)]
        responses = tuple(Response(write(query, kept, rng), kept) for kept in kept_sets)
        made.append(Chain(f"c{i}", query.category, query.base_task, query.requirements, responses))
    return made


def changed_config(source: Path, target: Path, tokenizer=None, **changes) -> Path:
    """A copy of a saved classifier with another ``config.json`` or tokenizer."""
    target.mkdir()
    for file in source.iterdir():
        (target / file.name).write_bytes(file.read_bytes())
    config = json.loads((target / "config.json").read_text()) | changes
    (target / "config.json").write_text(json.dumps(config))
    if tokenizer is not None:
        tokenizer.save_pretrained(target)
    return target


def by_hand(folder: Path, pairs: list[tuple[str, str]], template: str = "chat") -> np.ndarray:
    """Logits of texts one by one, unpadded, with nothing of ours."""
    tokenizer = AutoTokenizer.from_pretrained(folder)
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    rows = []
    for instruction, response in pairs:
        if template == "chat":
            text = f"<|user|>{instruction}<|end|><|assistant|>{response}<|end|>"
            inputs = tokenizer(text, return_tensors="pt", add_special_tokens=False)
            inputs = {"input_ids": inputs["input_ids"]}
        else:
            inputs = tokenizer(instruction, response, return_tensors="pt")
        with torch.no_grad():
            rows.append(model(**inputs).logits[0].double().numpy())
    return np.array(rows)


# --- what it computes -----------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_scores_are_those_of_the_model_alone(kind, folders, scorers, chains):
    pairs = [(c.prompt(), r.text) for c in chains[:2] for r in c.responses]
    logits = by_hand(folders[kind], pairs, "chat" if kind in DECODERS else "pair")
    expected = logits[:, 0] if logits.shape[1] == 1 else logits[:, 1] - logits[:, 0]
    found = np.concatenate(score_all([scorers[kind]], chains[:2])[kind])
    np.testing.assert_allclose(found, expected, atol=1e-4)
    assert np.ptp(found) > 0.01 and isinstance(scorers[kind], Scorer)


@pytest.mark.parametrize("kind", ["llama", "qwen2", "bert"])
def test_by_requirement_it_is_the_mean_probability(kind, folders, chains):
    scorer = ClassifierScorer(str(folders[kind]), name="x", granularity="requirement")
    (found,) = scorer.score(chains[:1])
    for response, value in zip(chains[0].responses, found):
        pairs = [(requirement.text, response.text) for requirement in chains[0].requirements]
        logits = by_hand(folders[kind], pairs, "pair" if kind == "bert" else "chat")
        one = logits.shape[1] == 1
        expected = expit(logits[:, 0]) if one else np.exp(logits[:, 1]) / np.exp(logits).sum(1)
        assert value == pytest.approx(expected.mean(), abs=1e-4)


@pytest.mark.parametrize("shift", [0.0, 50.0])
def test_ties_of_saturated_probabilities_are_told(shift, folders, chains, monkeypatch):
    scorer = ClassifierScorer(folders["bert"], name="x", granularity="requirement")
    rewards = scorer._rewards
    monkeypatch.setattr(scorer, "_rewards", lambda *texts: (rewards(*texts)[0] + shift, []))
    scores = score_all([scorer], chains)["x"]
    assert (scores.saturated_rate > 0.5) == (np.concatenate(scores) == 1).all() == (shift > 0)


def test_the_positive_label_is_the_users_to_name(folders, scorers, tmp_path, chains):
    names = {"id2label": {"0": "good", "1": "bad"}, "label2id": {"good": 0, "bad": 1}}
    folder = changed_config(folders["qwen2"], tmp_path / "named", **names)
    for unnamed in (None, "LABEL_1"):
        with pytest.raises(WfineError, match=r"one of the model's labels \['good', 'bad'\]"):
            ClassifierScorer(folder, name="x", positive_label=unnamed)
    bad = ClassifierScorer(folder, name="x", positive_label="bad").score(chains[:1])[0]
    good = ClassifierScorer(folder, name="x", positive_label="good").score(chains[:1])[0]
    np.testing.assert_allclose(bad, scorers["qwen2"].score(chains[:1])[0], atol=1e-4)
    np.testing.assert_allclose(good, -bad, atol=1e-6)


@pytest.mark.parametrize("kind", KINDS)
def test_half_of_a_surrogate_pair_is_nan_and_harms_no_other(kind, scorers):
    found = scorers[kind].rewards(["Be brief."] * 3, ["boats", "boats \ud800", "rain"])
    assert np.isnan(found).tolist() == [False, True, False]
    scorer = scorers[kind]
    np.testing.assert_allclose(
        found[[0, 2]], scorer.rewards(["Be brief."] * 2, ["boats", "rain"]), atol=1e-4
    )


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_special_tokens_in_a_response_are_plain_text(kind, scorers):
    mark = "<|end|>" if kind == "llama" else "[SEP]"
    inputs = scorers[kind]._encode("Be brief.", f"boats {mark} again")["input_ids"]
    marks = scorers[kind]._tokenizer.convert_tokens_to_ids(mark)
    assert inputs.count(marks) == 2  # those of the template


def test_empty_and_no_texts(scorers):
    for scorer in scorers.values():
        assert np.isfinite(scorer.rewards(["Be brief."], [""])).all()
        assert scorer.rewards([], []).shape == (0,) and scorer.score([]) == []


# --- long texts -----------------------------------------------------------------------------


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_the_middle_of_a_long_text_is_cut_and_counted(kind, folders):
    scorer = ClassifierScorer(folders[kind], name="x", max_tokens=64)
    ids = scorer._encode("Be brief.", "heron")["input_ids"]
    room = 64 - len(ids) + len(scorer._tokenizer("heron", add_special_tokens=False)["input_ids"])
    fits = next(  # the longest run of boats that is not cut
        n for n in range(room, 0, -1)
        if len(scorer._encode("Be brief.", "boats " * n)["input_ids"]) <= 64
    )  # fmt: skip
    responses = tuple(
        Response(text, (True,)) for text in ("boats " * fits, "boats " * (fits + 1), "rain")
    )
    requirement = Requirement(None, None, "Be brief.")
    chain = Chain("a", None, "Be brief.", (requirement,), responses)
    long = Chain("b", None, "Be brief.", (requirement,), (Response("rain " * 500, (True,)),) * 2)
    by_requirement = ClassifierScorer(
        folders[kind], name="x", max_tokens=64, granularity="requirement"
    )
    assert np.isfinite(np.concatenate(by_requirement.score([chain, long]))).all()
    assert by_requirement.n_cut == 3  # one that is a word too long, and two long ones
    by_requirement.score([chain])
    assert by_requirement.n_cut == 1
    whole = scorer._encode("Be brief.", "boats " * (fits + 1))["input_ids"]
    cut = scorer._cut({"input_ids": whole}, "Be brief.", "boats " * (fits + 1))["input_ids"]
    start = -(-(len(whole) - 32) // 4) * 4  # the next multiple of a sixteenth of 64
    assert len(whole) > 64 and cut == whole[:32] + whole[start:]


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_separators_and_marks_are_not_cut(kind, folders):
    scorer = ClassifierScorer(folders[kind], name="x", max_tokens=64)
    pair = "boats " * 90, "heron " * 90
    cut = scorer._cut(scorer._encode(*pair), *pair)
    assert len({len(ids) for ids in cut.values()}) == 1
    text = scorer._tokenizer.decode(cut["input_ids"])
    marks = {"llama": ["<|user|>", "<|end|>", "<|assistant|>", "<|end|>"],
             "bert": ["[CLS]", "[SEP]", "[SEP]"]}[kind]  # fmt: skip
    found = re.findall(r"<\|\w+\|>|\[\w+\]", text)
    assert found == marks and text.count("heron") > 5 and text.count("boats") > 5


def test_a_score_does_not_depend_on_a_long_text_beside_it(tmp_path, chat_tokenizer):
    """longrope has other frequencies for a batch in which one text is beyond the first length."""
    rope = {"rope_type": "longrope", "rope_theta": 1e4, "short_factor": [1.0] * 16,
            "long_factor": [4.0] * 16, "original_max_position_embeddings": 64}  # fmt: skip
    folder = save_classifier(tmp_path / "long", "llama", chat_tokenizer, rope_parameters=rope)
    scorer = ClassifierScorer(folder, name="x")
    texts = ["boats", "heron " * 300]
    together = scorer.rewards(["Be brief."] * 2, texts)
    alone = [scorer.rewards(["Be brief."], [text])[0] for text in texts]
    np.testing.assert_allclose(together, alone, atol=1e-4)
    assert scorer.max_tokens == 64


def test_no_text_is_longer_than_the_model_has_places(folders, scorers):
    long = "boats " * 2000
    assert {kind: scorer.max_tokens for kind, scorer in scorers.items()} == {
        "llama": 256, "qwen2": 256, "gpt2": 256, "bert": 256,
        "roberta": 255,  # padding is token 0 there, and places are counted from 1
    }  # fmt: skip
    for scorer in scorers.values():
        assert np.isfinite(scorer.rewards(["Be brief."], [long])).all()
    assert ClassifierScorer(folders["bert"], name="x", max_tokens=16).max_tokens == 16
    with pytest.raises(WfineError, match="max_tokens 15; expected 16 or more"):
        ClassifierScorer(folders["bert"], name="x", max_tokens=15)


# --- a score belongs to a text, not to a batch ------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
@settings(max_examples=12, deadline=None, suppress_health_check=list(HealthCheck))
@given(data=st.data())
def test_scores_do_not_depend_on_batch_padding_or_order(kind, scorers, data):
    scorer = scorers[kind]
    text = st.lists(st.sampled_from(WORDS), max_size=40).map(" ".join)
    pairs = data.draw(st.lists(st.tuples(text, text), min_size=8, max_size=8))
    order = data.draw(st.permutations(range(8)))
    inputs = [scorer._encode(*pair) for pair in pairs]
    alone = np.concatenate([scorer._forward([x]) for x in inputs])
    sides = ["right", "left"] if kind in DECODERS else ["right"]
    for side in sides:
        for size in (1, 3, 8):
            for start in range(0, 8, size):
                batch = order[start : start + size]
                found = scorer._forward([inputs[i] for i in batch], side)
                np.testing.assert_allclose(found, alone[batch], atol=1e-4)


@pytest.mark.parametrize("kind", KINDS)
def test_scores_do_not_depend_on_the_token_budget_or_the_order_of_chains(kind, folders, chains):
    wide = ClassifierScorer(folders[kind], name="x", token_budget=8192)
    narrow = ClassifierScorer(folders[kind], name="x", token_budget=1)  # one text at a time
    expected = np.concatenate(wide.score(chains))
    np.testing.assert_allclose(np.concatenate(narrow.score(chains)), expected, atol=1e-4)
    found = narrow.score(chains[::-1])[::-1]
    np.testing.assert_allclose(np.concatenate(found), expected, atol=1e-4)


def test_four_bits(folders, chains):
    scorer = ClassifierScorer(folders["llama"], name="x", quantise=True)
    full = ClassifierScorer(folders["llama"], name="x")
    found, expected = (np.concatenate(s.score(chains)) for s in (scorer, full))
    assert type(scorer._model.model.layers[0].mlp.up_proj).__name__ == "Linear4bit"
    assert not np.allclose(found, expected, atol=1e-4)  # it is another model
    assert np.corrcoef(found, expected)[0, 1] > 0.5  # of the same kind
    assert scorer.fingerprint != full.fingerprint


@pytest.mark.parametrize("kind", ["llama", "bert"])
def test_scores_in_half_precision_are_not_rounded_to_it(kind, folders, chains, monkeypatch):
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    # One kernel of attention with and without padding: those of a CPU with AVX512_BF16 round so
    # differently that the scorer refuses this model, whose weights are random.
    with sdpa_kernel(SDPBackend.MATH):
        scorer = ClassifierScorer(folders[kind], name="x", precision="auto")
        found = np.concatenate(scorer.score(chains))
    assert scorer._model.dtype == torch.bfloat16
    as_half = torch.tensor(found).to(torch.bfloat16).double().numpy()
    assert (found != as_half).mean() > 0.9
    full = np.concatenate(ClassifierScorer(folders[kind], name="x").score(chains))
    np.testing.assert_allclose(found, full, atol=0.1 * np.abs(full).max())


def test_the_fingerprint_changes_with_each_setting_and_file(folders, tmp_path, monkeypatch):
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    monkeypatch.setattr(checks, "HALF_TOLERANCE", 100.0)  # the weights are random

    def fingerprint(folder=folders["qwen2"], **options):
        return ClassifierScorer(folder, **{"name": "a", "progress": False} | options).fingerprint

    seen = {fingerprint()}
    assert fingerprint(name="b", progress=True) in seen
    own = "{{ messages[1].content }}<|user|>{{ messages[0].content }}<|end|>"
    others = {"granularity": "requirement", "max_tokens": 32, "template": own, "quantise": True,
              "positive_label": "LABEL_0", "precision": "auto", "token_budget": 1,
              "share_prefixes": False}  # fmt: skip
    settings = set(inspect.signature(ClassifierScorer).parameters)
    assert others.keys() == settings - {"base", "name", "progress"}
    for name, value in others.items():
        new = fingerprint(**{name: value})
        assert new not in seen, name
        seen.add(new)
    folder = Path(shutil.copytree(folders["qwen2"], tmp_path / "copy"))
    assert fingerprint(folder) in seen  # wherever it lies
    for file in sorted(folder.iterdir()):
        with kept_as_it_was(file):
            change(file)
            new = fingerprint(folder)
            assert new not in seen, file.name
            seen.add(new)
    assert len(seen) >= 1 + len(others) + 5


def change(file: Path) -> None:
    """The file is another one, and it can still be read."""
    if file.suffix == ".safetensors":
        weights = {name: w + 0.01 for name, w in load_file(file).items()}
        save_file(weights, file, metadata={"format": "pt"})
    else:
        file.write_text(file.read_text() + "\n")


@contextlib.contextmanager
def kept_as_it_was(file: Path):
    content = file.read_bytes()
    yield
    file.write_bytes(content)


# --- templates ------------------------------------------------------------------------------


def test_a_template_of_ones_own(folders, chains):
    own = "{{ messages[1].content }}<|user|>{{ messages[0].content }}<|end|>"
    scorer = ClassifierScorer(folders["qwen2"], name="x", template=own)
    ids = scorer._encode("Be brief.", "boats")["input_ids"]
    assert scorer._tokenizer.decode(ids) == "boats<|user|>Be brief.<|end|>"
    assert np.isfinite(np.concatenate(scorer.score(chains))).all()


def test_what_is_no_template_is_refused(folders, tmp_path, chat_tokenizer):
    with pytest.raises(WfineError, match="template 'chta'; expected 'auto', 'chat', 'pair'"):
        ClassifierScorer(folders["llama"], name="x", template="chta")
    with pytest.raises(WfineError, match="'pair' for a decoder"):
        ClassifierScorer(folders["llama"], name="x", template="pair")
    with pytest.raises(WfineError, match="tokenizer without a chat template"):
        ClassifierScorer(folders["bert"], name="x", template="chat")
    with pytest.raises(WfineError, match="cannot be rendered"):
        ClassifierScorer(folders["llama"], name="x", template="{{ messages[0].content ")
    with pytest.raises(WfineError, match=r"leaves out \['Use no adjective.'\]"):
        ClassifierScorer(folders["llama"], name="x", template="{{ messages[1].content }}<|end|>")
    with pytest.raises(WfineError, match="granularity 'sentence'"):
        ClassifierScorer(folders["llama"], name="x", granularity="sentence")


def with_template(tokenizer, template: str, **tokens):
    copy = AutoTokenizer.from_pretrained(tokenizer.name_or_path, **tokens)
    copy.chat_template = template
    return copy


def test_a_doubled_bos_is_refused_and_a_single_one_is_not(folders, tmp_path, chat_tokenizer):
    # The template writes <|assistant|>, the BOS token of this model, and the text holds another.
    once = "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}"
    for name, template in (("once", once), ("twice", "{{ bos_token }}" + once)):
        tokenizer = with_template(chat_tokenizer, template, bos_token="<|assistant|>")
        folder = changed_config(folders["llama"], tmp_path / name, tokenizer)
        if name == "once":
            assert ClassifierScorer(folder, name="x")._encode("a", "b")["input_ids"][0] == 3
        else:
            with pytest.raises(WfineError, match=r"two BOS tokens \(<\|assistant\|>\)"):
                ClassifierScorer(folder, name="x")


def test_a_tokenizer_that_adds_bos_does_not_double_that_of_the_template(
    folders, tmp_path, chat_tokenizer
):
    template = "{{ bos_token }}{% for m in messages %}<|user|>{{ m.content }}<|end|>{% endfor %}"
    tokenizer = with_template(chat_tokenizer, template, bos_token="<|assistant|>")
    tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
        single="<|assistant|> $A", special_tokens=[("<|assistant|>", 3)]
    )
    folder = changed_config(folders["llama"], tmp_path / "adds", tokenizer)
    reloaded = AutoTokenizer.from_pretrained(folder)
    assert reloaded("<|assistant|>a")["input_ids"][:2] == [3, 3]  # the trap is there
    assert ClassifierScorer(folder, name="x")._encode("a", "b")["input_ids"][:2] == [3, 2]


def test_a_template_without_an_end_is_refused_unless_it_is_the_users(
    folders, tmp_path, chat_tokenizer
):
    endless = "{% for m in messages %}<|{{ m.role }}|>{{ m.content }}{% endfor %}"
    tokenizer = with_template(chat_tokenizer, endless)
    folder = changed_config(folders["llama"], tmp_path / "endless", tokenizer)
    with pytest.raises(WfineError, match="no end-of-turn or EOS token after the response"):
        ClassifierScorer(folder, name="x")
    assert ClassifierScorer(folder, name="x", template=endless).name == "x"


# --- padding --------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", DECODERS)
def test_a_decoder_without_a_padding_token_is_refused(kind, folders, tmp_path):
    folder = changed_config(folders[kind], tmp_path / "none", pad_token_id=None)
    with pytest.raises(WfineError, match="no pad_token_id in its configuration"):
        ClassifierScorer(folder, name="x")


@pytest.mark.parametrize("kind", ["qwen2", "bert"])
def test_the_fingerprint_follows_every_file_and_every_setting(kind, folders, tmp_path, monkeypatch):
    """What scores are remembered by: nothing that they depend on is missing from it."""
    folder = shutil.copytree(folders[kind], tmp_path / "model")

    def fingerprint(**options) -> str:
        return ClassifierScorer(folder, name="x", progress=False, **options).fingerprint

    seen = {fingerprint()}
    moved = shutil.copytree(folder, tmp_path / "moved")
    assert ClassifierScorer(moved, name="y").fingerprint in seen
    for file in sorted(folder.iterdir()):
        content = file.read_bytes()
        if file.suffix == ".safetensors":
            weights = {name: w + 0.01 for name, w in load_file(file).items()}
            save_file(weights, file, metadata={"format": "pt"})
        else:
            file.write_bytes(content + b" ")
        new = fingerprint()
        assert new not in seen, file.name
        seen.add(new)
        file.write_bytes(content)
    changes = [
        {"granularity": "requirement"}, {"quantise": True}, {"max_tokens": 64},
        {"token_budget": 99}, {"positive_label": "LABEL_0"},
    ]  # fmt: skip
    if kind == "qwen2":
        template = "{{ messages[0].content }} {{ messages[1].content }}<|end|>"
        changes += [{"template": template}, {"share_prefixes": False}]
    for options in changes:
        new = fingerprint(**options)
        assert new not in seen, options
        seen.add(new)
    monkeypatch.setattr(devices, "cpu_has_bf16", lambda: True)
    assert fingerprint() in seen and fingerprint(precision="auto") not in seen


@pytest.mark.parametrize("kind", DECODERS)
def test_a_padding_token_that_the_tokenizer_does_not_use_is_refused(kind, folders, tmp_path):
    folder = changed_config(folders[kind], tmp_path / "other", pad_token_id=7)
    # The harm: padding that the model does not know is read as the end of the text.
    tokenizer = AutoTokenizer.from_pretrained(folder, padding_side="right")
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    texts = ["<|user|>a<|end|>", "<|user|>a much longer text<|end|>"]
    with torch.no_grad():
        batch = model(**tokenizer(texts, padding=True, return_tensors="pt",
                                  return_token_type_ids=False)).logits  # fmt: skip
        alone = model(**tokenizer(texts[:1], return_tensors="pt",
                                  return_token_type_ids=False)).logits  # fmt: skip
    assert (batch[0] - alone[0]).abs().max() > 1e-3
    with pytest.raises(WfineError, match="pad_token_id 7 in its configuration and 0 in its token"):
        ClassifierScorer(folder, name="x")


@pytest.mark.parametrize("kind", DECODERS)
def test_padding_with_the_end_of_the_text_is_refused(kind, folders, tmp_path, chat_tokenizer):
    template = chat_tokenizer.chat_template
    tokenizer = with_template(chat_tokenizer, template, pad_token="<|end|>")
    end = tokenizer.convert_tokens_to_ids("<|end|>")
    folder = changed_config(folders[kind], tmp_path / "eos", tokenizer, pad_token_id=end)
    # The harm: whatever ends a text is not read. Here only the end mark is skipped.
    model = AutoModelForSequenceClassification.from_pretrained(folder).eval()
    with torch.no_grad():
        with_end = model(torch.tensor([[5, 6, end]])).logits
        without = model(torch.tensor([[5, 6]])).logits
    torch.testing.assert_close(with_end, without)
    with pytest.raises(WfineError, match=r"<\|end\|> both pads texts and ends them"):
        ClassifierScorer(folder, name="x")
    # The way out that the message names, and a text that goes on after its end mark.
    turns = "{% for m in messages %}<|user|>{{ m.content }}{% endfor %}"
    for own in (turns, turns + "<|end|>."):
        assert ClassifierScorer(folder, name="x", template=own).name == "x"


def test_a_tokenizer_without_padding_takes_that_of_the_configuration(
    folders, scorers, tmp_path, chains
):
    folder = changed_config(folders["llama"], tmp_path / "bare")
    record = json.loads((folder / "tokenizer_config.json").read_text())
    record.pop("pad_token")
    (folder / "tokenizer_config.json").write_text(json.dumps(record))
    assert AutoTokenizer.from_pretrained(folder).pad_token is None
    found = ClassifierScorer(folder, name="x").score(chains)
    expected = scorers["llama"].score(chains)
    np.testing.assert_allclose(np.concatenate(found), np.concatenate(expected), atol=1e-4)


# --- heads and files --------------------------------------------------------------------------


def test_a_language_model_has_no_head_to_score_with(tiny_base, tmp_path):
    with pytest.raises(WfineError, match=r"no values in the file for the weights score\.weight"):
        ClassifierScorer(tiny_base, name="x")
    tokenizer = wordpiece()
    BertForMaskedLM(
        BertConfig(vocab_size=576, hidden_size=64, num_hidden_layers=1, num_attention_heads=2,
                   intermediate_size=64)
    ).save_pretrained(tmp_path / "mlm")  # fmt: skip
    tokenizer.save_pretrained(tmp_path / "mlm")
    with pytest.raises(WfineError, match=r"classifier\.bias, classifier\.weight"):
        ClassifierScorer(tmp_path / "mlm", name="x")


def test_a_head_of_another_shape_is_refused(folders, tmp_path):
    one = {"id2label": {"0": "LABEL_0"}, "label2id": {"LABEL_0": 0}}
    folder = changed_config(folders["bert"], tmp_path / "shape", **one)
    with pytest.raises(WfineError, match="shape in the file is not the one of the configuration"):
        ClassifierScorer(folder, name="x")


def test_labels_that_give_no_single_number_are_refused(folders, tmp_path, chat_tokenizer):
    three = save_classifier(tmp_path / "three", "qwen2", chat_tokenizer, num_labels=3)
    with pytest.raises(WfineError, match="3 labels"):
        ClassifierScorer(three, name="x")
    both = {"problem_type": "multi_label_classification"}
    folder = changed_config(folders["qwen2"], tmp_path / "multi", **both)
    with pytest.raises(WfineError, match="multi_label_classification"):
        ClassifierScorer(folder, name="x")
    with pytest.raises(WfineError, match="Leave positive_label out"):
        ClassifierScorer(folders["llama"], name="x", positive_label="LABEL_0")


def test_pickles_adapters_code_and_nothing_at_all_are_refused(folders, tmp_path):
    pickled = changed_config(folders["llama"], tmp_path / "pickled")
    (pickled / "model.safetensors").unlink()
    model = AutoModelForSequenceClassification.from_pretrained(folders["llama"])
    torch.save(model.state_dict(), pickled / "pytorch_model.bin")
    with pytest.raises(WfineError, match=r"holds config\.json, \*\.safetensors"):
        ClassifierScorer(pickled, name="x")
    code = changed_config(
        folders["llama"], tmp_path / "code", model_type="own",
        auto_map={"AutoConfig": "own.Own", "AutoModelForSequenceClassification": "own.Own"},
    )  # fmt: skip
    (code / "own.py").write_text("raise SystemExit('the code of a stranger was run')")
    with pytest.raises(WfineError, match="cannot be loaded"):
        ClassifierScorer(code, name="x")
    with pytest.raises(WfineError, match="cannot be loaded"):
        ClassifierScorer(tmp_path / "nowhere", name="x")
    adapter = changed_config(folders["llama"], tmp_path / "adapter")
    (adapter / "adapter_config.json").write_text("{}")
    with pytest.raises(WfineError, match="found an adapter"):
        ClassifierScorer(adapter, name="x")


# --- scores that depend on the batch ------------------------------------------------------------


def patched(monkeypatch, cls, change) -> None:
    """Let ``change`` wrap the forward of a class, its signature kept."""
    forward = cls.forward
    wrapped = functools.wraps(forward)(functools.partial(change, forward))
    wrapped.__signature__ = inspect.signature(forward)
    monkeypatch.setattr(cls, "forward", lambda self, **kwargs: wrapped(self, **kwargs))
    cls.forward.__signature__ = inspect.signature(forward)


def centred(forward, self, **kwargs):
    """What a batch normalisation in training mode does."""
    output = forward(self, **kwargs)
    output.logits = output.logits - 0.5 * output.logits.mean(0)
    return output


def maskless(forward, self, **kwargs):
    kwargs["attention_mask"] = torch.ones_like(kwargs["attention_mask"])
    return forward(self, **kwargs)


def placeless(forward, self, **kwargs):
    kwargs["position_ids"] = None
    return forward(self, **kwargs)


CLASSES = {
    "llama": LlamaForSequenceClassification,
    "bert": BertForSequenceClassification,
    "gpt2": GPT2ForSequenceClassification,
}


@pytest.mark.parametrize(
    ("kind", "change", "words"),
    [
        ("llama", centred, r"batch of 3 padded on the right"),
        ("bert", centred, r"batch of 3 padded on the right"),
        ("bert", maskless, r"batch of \d padded on the right"),
        ("llama", maskless, r"batch of \d padded on the left"),
        ("gpt2", placeless, r"batch of \d padded on the left"),
    ],
)
def test_a_model_that_looks_at_its_batch_is_refused(kind, change, words, folders, monkeypatch):
    ClassifierScorer(folders[kind], name="x")  # the model is sound without the change
    patched(monkeypatch, CLASSES[kind], change)
    with pytest.raises(WfineError, match=words):
        ClassifierScorer(folders[kind], name="x")


def test_both_numbers_are_named(folders, monkeypatch):
    def shifted(forward, self, **kwargs):
        output = forward(self, **kwargs)
        output.logits = output.logits + 0.5 * (len(kwargs["input_ids"]) == 8)
        return output

    scorer = ClassifierScorer(folders["llama"], name="x")
    patched(monkeypatch, LlamaForSequenceClassification, shifted)
    with pytest.raises(WfineError, match="in a batch of 8 padded on the right") as caught:
        ClassifierScorer(folders["llama"], name="x")
    numbers = [float(word) for word in str(caught.value).split() if word[-7:-6] == "."]
    assert numbers[1] - numbers[0] == pytest.approx(0.5, abs=2e-4)
    assert scorer.name == "x"


@pytest.mark.parametrize(("shift", "refused"), [(0.5e-4, False), (2e-4, True)])
def test_the_limit_is_one_in_ten_thousand(shift, refused, folders, monkeypatch):
    def shifted(forward, self, **kwargs):
        output = forward(self, **kwargs)
        small = output.logits / 100  # below 1, where the limit is absolute
        output.logits = small + shift * (len(kwargs["input_ids"]) > 1)
        return output

    patched(monkeypatch, LlamaForSequenceClassification, shifted)
    if refused:
        with pytest.raises(WfineError, match=r"a difference of 0\.0001 at most"):
            ClassifierScorer(folders["llama"], name="x")
    else:
        assert ClassifierScorer(folders["llama"], name="x").name == "x"


def test_dropout_left_on_is_refused(tmp_path, chat_tokenizer, monkeypatch):
    folder = save_classifier(tmp_path / "drop", "llama", chat_tokenizer, attention_dropout=0.5)
    assert ClassifierScorer(folder, name="x").name == "x"  # off, as it should be
    monkeypatch.setattr(LlamaForSequenceClassification, "eval", lambda self: self.train())
    with pytest.raises(WfineError, match="for a text alone and of"):
        ClassifierScorer(folder, name="x")


def test_a_model_that_scores_all_texts_alike_or_not_at_all_is_refused(tmp_path, chat_tokenizer):
    for scale, words in ((0.0, "0 to 0 for 8"), (float("nan"), "nan to nan for 8")):
        folder = save_classifier(tmp_path / str(scale), "llama", chat_tokenizer, scale=scale)
        with pytest.raises(WfineError, match=words):
            ClassifierScorer(folder, name="x")
