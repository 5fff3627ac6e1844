"""Any sequence classifier, from a folder or the Hub, as a scorer: what is called a reward model.

A classifier with one output gives its logit; one with two labels gives the log-odds of the
positive one. The released serving code gives the probability of that label, rounded to three
decimals: the order is the same, but two good responses at 0.9996 and 0.9999 are a tie there
and none here.

A score that depends on what else is in the batch measures the batch, and most published
mistakes with reward models are of this kind: a padding token that is also the end of the text,
or that the model does not know of, moves the place where the score is read. So a classifier is
examined when it is loaded, on a few built-in texts, and refused with the reason if it fails.

The place of the score is left to the model's own forward. That the place is right in a padded
batch too is what the examination makes sure of; see :func:`_refuse_unstable`.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import jinja2
import numpy as np
import torch
from scipy.special import expit
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoModelForSequenceClassification, AutoTokenizer

from wfine_utils import models
from wfine_utils.errors import WfineError
from wfine_utils.reward_model import Granularity, token_budget_batches
from wfine_utils.scorers import Scores
from wfine_utils.taxonomy import Chain

Inputs = dict[str, list[int]]
"""What the model is given for one text, without padding: ``input_ids``, ``token_type_ids``."""

TOLERANCE = 1e-4
"""Largest change of a score with its batch in fp32; of large scores, this share of the score."""
HALF_TOLERANCE = 0.05
"""The same where the body of the model computes in half precision, which has 3 digits or less."""

MIN_TOKENS = 16
_WAY = "the steamer sounded its horn twice and crossed the bay toward the lights of the harbour, "
_PROBES = [
    ("Write one line about rain.", "Rain again."),
    ("Use no adjective.", "The dog slept while the children ran to the river and back."),
    ("Describe a harbour at dusk in two sentences.", "Boats. " * 3),
    ("End with a question.", "Who would have thought that a lamp could wait for us?"),
    ("Write a letter to a neighbour about the noise. Be polite. Name a time.", "No."),
    ("Mention a heron.", _WAY * 2),
    ("List three things, one to a line.", "- a rope\n- a lamp\n- an old coat"),
    ("Be brief.", _WAY * 5),
]  # texts of eight lengths, the shortest and the longest in one batch


class ClassifierScorer:
    """A sequence classifier as a scorer.

    Args:
        base: folder, Hub id, or :class:`models.Base` with a revision. Only safetensors, and no
            code from the model's repository, are loaded.
        name: how tables call it.
        granularity: ``"prompt"``: the score of (whole prompt, response). ``"requirement"``: the
            mean over requirements of σ(score of (requirement, response)), in [0, 1]; for two
            labels that is the mean probability of the positive one, not rounded.
        quantise: load it in 4-bit.
        template: ``"chat"``, the instruction as user turn and the response as assistant turn in
            the tokenizer's chat template; ``"pair"``, both as the text pair of an encoder such
            as BERT; ``"auto"``, chat where the tokenizer has a chat template, else pair; or a
            Jinja chat template of your own, with ``messages[0].content`` for the instruction and
            ``messages[1].content`` for the response. A template has to write the BOS token
            itself where the model wants one.
        positive_label: name, in the model's ``id2label``, of the label that means "good". May
            be left out where the labels are called LABEL_0 and LABEL_1: then it is the latter.
        max_tokens: longest text; of a longer one the middle is cut out, as for reward models.
            Less where the model has fewer positions.
        token_budget: padded tokens per forward pass.

    Attributes:
        max_tokens: the limit in force.
        n_cut: responses of the latest call of ``score`` of which a text had to be cut.
        fingerprint: of all that a score depends on, apart from the two texts.

    Raises:
        WfineError: the model cannot be loaded, or cannot be trusted: it has more than two
            labels; weights are missing from its file, so that they would be random numbers; a
            decoder has no padding token, or another one than its tokenizer, or one with which
            its texts end; a text begins with two BOS tokens, or ends without an end of turn;
            or a score changes with the batch or the padding side.
    """

    def __init__(
        self,
        base: models.Base | str | Path,
        *,
        name: str,
        granularity: Granularity = "prompt",
        quantise: bool = False,
        template: str = "auto",
        positive_label: str | None = None,
        max_tokens: int = 1024,
        token_budget: int = 4096,
    ) -> None:
        self.name = name
        base = base if isinstance(base, models.Base) else models.Base(str(base), None)
        self._shown = f"classifier {base.model}"
        if granularity not in ("prompt", "requirement"):
            raise self._refusal(f"granularity {granularity!r}", "'prompt' or 'requirement'")
        if max_tokens < MIN_TOKENS:
            raise self._refusal(f"max_tokens {max_tokens}", f"{MIN_TOKENS} or more")
        self._granularity, self._token_budget = granularity, token_budget
        if (Path(base.model) / "adapter_config.json").is_file():
            raise self._refusal(
                "an adapter",
                "a whole model. Use RewardModelScorer for one that notebook 03 made; merge any "
                "other into its base (PeftModel.merge_and_unload) and save that",
            )
        # The configuration is read first: a model of the wrong kind need not be downloaded.
        config = models._from_pretrained(AutoConfig, *base)
        self._positive = self._positive_index(config, positive_label)
        self._tokenizer = models._from_pretrained(AutoTokenizer, *base)
        self._model = self._load(base, quantise)
        # In transformers a head that reads the last token of a decoder is called ``score``.
        self._is_decoder = hasattr(self._model, "score")
        self._accepted = frozenset(inspect.signature(self._model.forward).parameters)
        if not self._is_decoder and not quantise:
            self._model.float()  # small, and rounded logits have ties that the model has not
        self._in_half = self._model.dtype in (torch.float16, torch.bfloat16)
        if self._is_decoder and self._in_half:
            _head_in_fp32(self._model.score)  # for the same reason
        self._pair = self._chosen_template(template) == "pair"
        self._refuse_wrong_padding(config)
        self.max_tokens = min(
            max_tokens, _n_positions(self._model), self._tokenizer.model_max_length
        )
        self.n_cut = 0
        self._refuse_wrong_text(own_template="{" in template)
        self._refuse_unstable()
        facts = [base.fingerprint, granularity, quantise, str(self._model.dtype), self.max_tokens,
                 self._positive, None if self._pair else self._tokenizer.chat_template]  # fmt: skip
        self.fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One score per response, higher is better; NaN where a text is not valid Unicode."""
        owners, instructions, texts, n_responses = [], [], [], 0
        for chain in chains:
            one_by_one = [requirement.text for requirement in chain.requirements]
            asked = [chain.prompt()] if self._granularity == "prompt" else one_by_one
            for response in chain.responses:
                owners += [n_responses] * len(asked)
                instructions += asked
                texts += [response.text] * len(asked)
                n_responses += 1
        values, cut = self._rewards(instructions, texts)
        self.n_cut = len({owner for owner, was_cut in zip(owners, cut, strict=True) if was_cut})
        if self._granularity == "requirement":
            sums = np.bincount(owners, expit(values), minlength=n_responses)
            values = sums / np.bincount(owners, minlength=n_responses)
        ends = np.cumsum([len(chain.responses) for chain in chains])
        return [values[e - len(c.responses) : e] for c, e in zip(chains, ends, strict=True)]

    def rewards(self, instructions: Sequence[str], responses: Sequence[str]) -> np.ndarray:
        """The logit or the log-odds of each (instruction, response).

        Args:
            instructions: n instructions, whole prompts or single requirements.
            responses: n responses.

        Returns:
            float64 of shape (n,); NaN where a text is not valid Unicode.
        """
        return self._rewards(instructions, responses)[0]

    def _rewards(
        self, instructions: Sequence[str], responses: Sequence[str]
    ) -> tuple[np.ndarray, list[bool]]:
        """Rewards, and whether the text had to be cut; equal inputs are scored once."""
        asked = list(zip(instructions, responses, strict=True))
        unique = {pair: i for i, pair in enumerate(dict.fromkeys(asked))}
        encoded = [self._encode(*pair) for pair in unique]
        inputs = [self._cut(whole) for whole in encoded]
        values = np.full(len(inputs), np.nan)
        bar = tqdm(total=len(inputs), desc=self.name, unit="text")
        lengths = [len(x["input_ids"]) for x in inputs]
        for batch in token_budget_batches(lengths, self._token_budget):
            readable = [i for i in batch if lengths[i]]
            if readable:
                values[readable] = self._forward([inputs[i] for i in readable])
            bar.update(len(batch))
        bar.close()
        was_cut = [len(x["input_ids"]) > self.max_tokens for x in encoded]
        places = [unique[pair] for pair in asked]
        return values[places], [was_cut[i] for i in places]

    def _encode(self, instruction: str, response: str) -> Inputs:
        """The whole text in tokens, its special tokens those of the template and no others."""
        try:
            if not self._pair:
                ids = models.encode(self._tokenizer, instruction, response, sys.maxsize)
                return {"input_ids": ids}
            found = self._tokenizer(
                instruction, response, split_special_tokens=True, verbose=False
            )  # the response cannot hold a separator that counts as one
            return {key: ids for key, ids in found.items() if key != "attention_mask"}
        except TypeError:  # what the tokenizer says to half of a surrogate pair
            return {"input_ids": []}

    def _cut(self, inputs: Inputs) -> Inputs:
        kept = models.cut_middle(list(range(len(inputs["input_ids"]))), self.max_tokens)
        return {key: [ids[i] for i in kept] for key, ids in inputs.items()}

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[Inputs], padding_side: str = "right") -> np.ndarray:
        """Rewards of one batch, shape [texts]."""
        given = [key for key in inputs[0] if key in self._accepted]
        padded = self._tokenizer.pad(
            {key: [x[key] for x in inputs] for key in given},
            return_tensors="pt",
            padding_side=padding_side,
        ).to(self._model.device)
        if padding_side == "left":  # as generation does it: the first real token is at place 0
            padded["position_ids"] = (padded["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        logits = self._model(**padded).logits.double().cpu().numpy()
        if self._positive is None:
            return logits[:, 0]
        return logits[:, self._positive] - logits[:, 1 - self._positive]

    def _refusal(self, found: str, expected: str) -> WfineError:
        return WfineError(f"{self._shown}: found {found}; expected {expected}.")

    def _positive_index(self, config: Any, positive_label: str | None) -> int | None:
        """Which of two labels is the good one; None for a single logit."""
        names = [str(config.id2label[i]) for i in range(config.num_labels)]
        if len(names) not in (1, 2) or (
            len(names) == 2 and config.problem_type == "multi_label_classification"
        ):
            raise self._refusal(
                f"{len(names)} labels {names} (problem type {config.problem_type})",
                "one logit, or two labels of which one or the other is true, because a score is "
                "one number per response. Wrap the model in a scorer of your own that says how "
                "its outputs become one number",
            )
        if len(names) == 1:
            if positive_label is not None:
                raise self._refusal(
                    f"positive_label {positive_label!r} and a single logit",
                    "none, because a single logit has no other label. Leave positive_label out",
                )
            return None
        if positive_label is None and names == ["LABEL_0", "LABEL_1"]:
            return 1
        if positive_label not in names:
            raise self._refusal(
                f"positive_label {positive_label!r}",
                f"one of the model's labels {names}, because the wrong one would turn every "
                "ranking round. Name the label that means a good response",
            )
        return names.index(positive_label)

    def _load(self, base: models.Base, quantise: bool) -> Any:
        """The model in evaluation mode, every weight of it from the file."""
        # Unquantised on a GPU: as it was saved, so that a small encoder stays in fp32.
        as_saved = not quantise and models.device() == "cuda"
        try:
            model, report = models._from_pretrained(
                AutoModelForSequenceClassification,
                *base,
                dtype="auto" if as_saved else models.compute_dtype(),
                device_map={"": models.device()},
                use_safetensors=True,
                output_loading_info=True,
                **({"quantization_config": models.nf4_config()} if quantise else {}),
            )
            missing = sorted(report["missing_keys"])
        except RuntimeError as error:
            if "ignore_mismatched_sizes" not in str(error):
                raise
            missing = ["those whose shape in the file is not the one of the configuration"]
        if missing:
            raise self._refusal(
                f"no values in the file for the weights {', '.join(missing[:5])}",
                "every weight, because transformers fills in random numbers, and a score from a "
                "random head is no score. Give the folder of the trained classifier, not of the "
                "language model that it started from",
            )
        models.disable_cpu_packing(model)
        return model.eval()

    def _chosen_template(self, template: str) -> str:
        """``"chat"`` or ``"pair"``, one's own template made the tokenizer's."""
        if "{" in template:
            self._tokenizer.chat_template = template
            return "chat"
        if template == "auto":
            template = "chat" if self._is_decoder or self._tokenizer.chat_template else "pair"
        if template not in ("chat", "pair"):
            raise self._refusal(
                f"template {template!r}", "'auto', 'chat', 'pair' or a Jinja template"
            )
        if template == "chat" and not self._tokenizer.chat_template:
            raise self._refusal(
                "a tokenizer without a chat template",
                "one, because a decoder reads one text and not a pair. Give the template that the "
                "model was trained with as template=, in Jinja",
            )
        if template == "pair" and self._is_decoder:
            raise self._refusal(
                "template 'pair' for a decoder", "'chat', because a decoder reads one text"
            )
        return template

    def _refuse_wrong_padding(self, config: Any) -> None:
        """The padding token of the configuration is there, and the tokenizer pads with it."""
        known, used = config.get_text_config().pad_token_id, self._tokenizer.pad_token_id
        if known is None and (self._is_decoder or used is None):
            raise self._refusal(
                "no pad_token_id in its configuration",
                "one, because without it the model cannot tell the last token of a text from "
                "the padding after it. Write the token it was trained with (not one that ends a "
                "text) into config.json and the tokenizer",
            )
        if self._is_decoder and used not in (None, known):
            raise self._refusal(
                f"pad_token_id {known} in its configuration and {used} in its tokenizer",
                "the same, because the model takes a padding token it does not know for the end "
                "of the text, so that a score changes with the batch. Write the token it was "
                "trained with into both",
            )
        if used is None:
            self._tokenizer.pad_token = self._tokenizer.convert_ids_to_tokens(known)

    def _refuse_wrong_text(self, own_template: bool) -> None:
        """One BOS token at most; an end of turn; and the last token is no padding."""
        if self._pair:
            return
        instruction, response = _PROBES[1]
        try:
            ids = self._encode(instruction, response)["input_ids"]
            text = self._tokenizer.apply_chat_template(
                models.messages(instruction, response), tokenize=False
            )
        except (jinja2.TemplateError, ValueError) as error:
            raise self._refusal(
                f"a template that cannot be rendered ({error})",
                "one that takes a user turn and an assistant turn. Give your own as template=",
            ) from error
        unread = [part for part in (instruction, response) if part not in text]
        if unread:
            raise self._refusal(
                f"a template that leaves out {unread}", "one that holds both turns as they are"
            )
        bos = self._tokenizer.bos_token_id
        if bos is not None and ids[:2] == [bos, bos]:
            raise self._refusal(
                f"two BOS tokens ({self._tokenizer.bos_token}) at the start of a text",
                "one, as in training. Take one out of the chat template",
            )
        if not self._is_decoder:
            return
        end = self._tokenizer(text.rpartition(response)[2], add_special_tokens=False)["input_ids"]
        added = self._tokenizer.added_tokens_decoder.items()
        special = {*self._tokenizer.all_special_ids, *(i for i, token in added if token.special)}
        if not own_template and not special & set(end):
            raise self._refusal(
                "a chat template that writes no end-of-turn or EOS token after the response",
                "one, because the score is read at the end of the text. Use the template of the "
                "training; if that had no such token, give it as template=",
            )
        if ids[-1] == self._model.config.get_text_config().pad_token_id:
            token = self._tokenizer.convert_ids_to_tokens(ids[-1])
            raise self._refusal(
                f"that {token} both pads texts and ends them",
                "a padding token of its own, because the model skips padding when it looks for "
                "the last token, and reads the score one token too early. Write another "
                "pad_token_id into config.json and the tokenizer; if the model was trained with "
                "the score read there, give as template= the chat template without that end",
            )

    def _refuse_unstable(self) -> None:
        """Scores of the built-in texts, alone and in batches, in two orders, padded on each side.

        A text alone has no padding, so what the model's forward gives for it is the standard.
        """
        inputs = [self._cut(self._encode(*probe)) for probe in _PROBES]
        alone = np.concatenate([self._forward([x]) for x in inputs])
        if not np.isfinite(alone).all() or np.ptp(alone) < 1e-6:
            raise self._refusal(
                f"the scores {alone.min():.6g} to {alone.max():.6g} for {len(alone)} different "
                "texts",
                "finite numbers that differ, because these cannot rank anything. Check that the "
                "weights are those of the trained classifier and the template is the right one",
            )
        tolerance = HALF_TOLERANCE if self._in_half else TOLERANCE
        allowed = tolerance * np.maximum(1.0, np.abs(alone))
        # Left padding is tried where places can be given; encoders read the first token.
        left = ["left"] if self._is_decoder and "position_ids" in self._accepted else []
        backwards = list(range(len(inputs)))[::-1]
        for batch in (backwards[:1], backwards[:3], backwards[::-1], [5, 0, 7]):
            for side in ["right", *left]:
                found = self._forward([inputs[i] for i in batch], side)
                excess = np.abs(found - alone[batch]) - allowed[batch]
                worst = int(np.argmax(excess))
                if not excess[worst] <= 0:
                    raise self._refusal(
                        f"a score of {alone[batch[worst]]:.6f} for a text alone and of "
                        f"{found[worst]:.6f} for it in a batch of {len(batch)} padded on the "
                        f"{side}",
                        f"a difference of {allowed[batch[worst]]:.1g} at most, because a score "
                        "that depends on its batch ranks by chance. Look for dropout left on, an "
                        "attention mask that is not used, or anything computed over a batch",
                    )


def _head_in_fp32(head: torch.nn.Module) -> None:
    head.float().register_forward_pre_hook(lambda _, args: (args[0].float(), *args[1:]))


def _n_positions(model: torch.nn.Module) -> int:
    """The longest text that the model has places for."""
    for module_name, module in model.named_modules():
        padding = getattr(module, "padding_idx", None)
        if module_name.endswith("position_embeddings") and padding is not None:
            return module.num_embeddings - padding - 1  # RoBERTa counts from there
    n = getattr(model.config.get_text_config(), "max_position_embeddings", None)
    return n if n is not None and n > 0 else sys.maxsize
