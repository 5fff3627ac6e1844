"""Any sequence classifier, from a folder or the Hub, as a scorer: what is called a reward model.

A classifier with one output gives its logit; one with two labels gives the log-odds of the positive
one. The released serving code gives the probability of that label, rounded to three decimals: the
order is the same, but two good responses at 0.9996 and 0.9999 are a tie there and none here.

The place of the score is left to the model's own forward. A padding token that is also the end of
the text, or that the model does not know of, moves it, and a score then depends on its batch. So a
classifier is examined on built-in texts when it is loaded, and refused with the reason if it fails.
"""

from __future__ import annotations

import hashlib
import inspect
import json
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import torch
from scipy.special import expit
from tqdm.auto import tqdm
from transformers import AutoConfig, AutoTokenizer

from wfine_utils.base_model import Base
from wfine_utils.chains.taxonomy import Chain, Instruction
from wfine_utils.errors import WfineError
from wfine_utils.models import adapters, encoding, loading, places, pretrained
from wfine_utils.rewards import classifier_checks as checks
from wfine_utils.rewards.shared_prefix import PrefixSharing
from wfine_utils.settings import Granularity, Precision
from wfine_utils.weval.scorers import Scores, saturated_rate, split_by_chain

Inputs = dict[str, list[int]]
"""What the model is given for one text, without padding: ``input_ids``, ``token_type_ids``."""

MIN_TOKENS = 16


class ClassifierScorer:
    """A sequence classifier as a scorer.

    Args:
        base: folder, Hub id, or a :class:`~wfine_utils.base_model.Base` with a revision. Only
            safetensors, and no code from the model's repository, are loaded.
        name: how tables call it.
        granularity: ``"prompt"``: the score of (whole prompt, response), and of what was said
            before. ``"requirement"``: the mean over requirements of σ(score of (requirement,
            response)), in [0, 1]; for two labels that is the mean probability of the positive one,
            not rounded.
        quantise: load it in 4-bit.
        precision: of the body on a CPU: ``"fp32"``, or ``"auto"``, bf16 where the CPU has it, which
            is faster and moves scores by up to :data:`classifier_checks.HALF_TOLERANCE`. The head
            is always computed in fp32.
        template: ``"chat"``, user and assistant turn in the tokenizer's chat template; ``"pair"``,
            the text pair of an encoder such as BERT; ``"auto"``, chat where the tokenizer has a
            chat template, else pair; or a Jinja template of your own, with ``messages[0].content``
            for the instruction and ``messages[1].content`` for the response. It has to write the
            BOS token itself where the model wants one.
        positive_label: name, in the model's ``id2label``, of the label that means "good". May be
            left out where the labels are called LABEL_0 and LABEL_1: then it is the latter.
        max_tokens: longest text, less where the model has fewer positions; of a longer one the
            middle is cut out, at round places, so that it is cut alike for all requirements.
        token_budget: padded tokens per forward pass.
        share_prefixes: compute what texts have in common at their beginning once, where that saves
            work and the model can do it; see :mod:`wfine_utils.rewards.shared_prefix`.

    Attributes:
        max_tokens: the limit in force.
        shares_prefixes: whether it was wanted, and this model, as it was tried, can do it.
        n_cut: responses of the latest call of ``score`` of which a text had to be cut.
        saturated_rate: share of ties in it that rounding made; see
            :func:`wfine_utils.weval.scorers.saturated_rate`.
        fingerprint: of all that a score depends on, apart from the two texts.

    Raises:
        WfineError: the model cannot be loaded, or trusted by :mod:`.classifier_checks`.
    """

    def __init__(
        self,
        base: Base | str | Path,
        *,
        name: str,
        granularity: Granularity = "prompt",
        quantise: bool = False,
        precision: Precision = "fp32",
        template: str = "auto",
        positive_label: str | None = None,
        max_tokens: int = 1024,
        token_budget: int = 4096,
        share_prefixes: bool = True,
        progress: bool = True,
    ) -> None:
        self.name, self._progress = name, progress
        base = base if isinstance(base, Base) else Base(str(base))
        self._where = f"classifier {base.model}"
        if granularity not in ("prompt", "requirement"):
            raise WfineError(
                f"{self._where}: found granularity {granularity!r}; expected prompt or requirement."
            )
        if max_tokens < MIN_TOKENS:
            raise WfineError(
                f"{self._where}: found max_tokens {max_tokens}; expected {MIN_TOKENS} or more."
            )
        if (Path(base.model) / "adapter_config.json").is_file():
            raise WfineError(
                f"{self._where}: found an adapter; expected a whole model. Use RewardModelScorer "
                "for one that notebook 03 made; merge any other into its base "
                "(PeftModel.merge_and_unload) and save that."
            )
        self._granularity, self._token_budget = granularity, token_budget
        # The configuration is read first: a model of the wrong kind need not be downloaded.
        config = pretrained.from_pretrained(AutoConfig, base)
        self._positive = checks.positive_index(config, positive_label, self._where)
        self._tokenizer = pretrained.from_pretrained(AutoTokenizer, base)
        self._model = loading.load_classifier(base, quantise, precision, where=self._where)
        # In transformers a head that reads the last token of a decoder is called ``score``.
        self._is_decoder = hasattr(self._model, "score")
        self._accepted = frozenset(inspect.signature(self._model.forward).parameters)
        if not self._is_decoder and not quantise and precision == "fp32":
            self._model.float()  # small, whatever it was saved in
        in_half = self._model.dtype in (torch.float16, torch.bfloat16)
        tolerance = checks.HALF_TOLERANCE if in_half else checks.TOLERANCE
        adapters.head_to_fp32(self._model)  # rounded logits have ties that the model has not
        self._pair = self._reads_pairs(template)
        checks.refuse_wrong_padding(config, self._tokenizer, self._is_decoder, self._where)
        pad_token_id = config.get_text_config().pad_token_id
        if self._tokenizer.pad_token_id is None:
            self._tokenizer.pad_token = self._tokenizer.convert_ids_to_tokens(pad_token_id)
        n_places = min(places.n_positions(self._model), self._tokenizer.model_max_length)
        self.max_tokens, self.n_cut, self.saturated_rate = min(max_tokens, n_places), 0, 0.0
        if not self._pair:
            checks.refuse_wrong_text(
                self._tokenizer,
                lambda *turns: self._encode(*turns)["input_ids"],
                pad_token_id,
                is_decoder=self._is_decoder,
                own_template="{" in template,
                where=self._where,
            )
        # Left padding is tried where places can be given; encoders read the first token.
        left = ["left"] if self._is_decoder and "position_ids" in self._accepted else []
        whole, sides = [self._encode(*probe) for probe in checks.PROBES], ["right", *left]
        probes = [self._cut(x, *probe) for x, probe in zip(whole, checks.PROBES, strict=True)]
        checks.refuse_unstable(self._forward, probes, sides, tolerance, where=self._where)
        self._sharing = None
        if share_prefixes:
            self._sharing = PrefixSharing.of(
                self._model,
                pad_token_id,
                self._read,
                alone=lambda ids: float(self._forward([{"input_ids": list(ids)}])[0]),
                examples=[x["input_ids"] for x in whole],
                max_tokens=self.max_tokens,
                tolerance=tolerance,
            )
        self.shares_prefixes = self._sharing is not None
        facts = [base.fingerprint, getattr(config, "_commit_hash", None), granularity, quantise,
                 str(self._model.dtype), self.max_tokens, token_budget, self.shares_prefixes,
                 self._positive, None if self._pair else self._tokenizer.chat_template]  # fmt: skip
        self.fingerprint = hashlib.sha256(json.dumps(facts).encode()).hexdigest()

    def score(self, chains: Sequence[Chain]) -> Scores:
        """One score per response, higher is better; NaN where a text is not valid Unicode."""
        owners, texts, n_responses = [], [], 0
        instructions: list[Instruction] = []
        for chain in chains:
            questions: list[Instruction] = [requirement.text for requirement in chain.wanted]
            if self._granularity == "prompt":
                questions = [chain.query.conversation()]
            for response in chain.responses:
                owners += [n_responses] * len(questions)
                instructions += questions
                texts += [response.text] * len(questions)
                n_responses += 1
        values, cut = self._rewards(instructions, texts)
        self.n_cut = np.unique(np.array(owners)[cut]).size
        if self._granularity == "prompt":
            return split_by_chain(values, chains)
        sums = np.bincount(owners, expit(values), minlength=n_responses)
        sizes = np.bincount(owners, minlength=n_responses)
        scores = split_by_chain(sums / sizes, chains)
        self.saturated_rate = saturated_rate(chains, scores, values)
        return scores

    def rewards(self, instructions: Sequence[Instruction], responses: Sequence[str]) -> np.ndarray:
        """The logit or the log-odds of each (instruction, response).

        Args:
            instructions: n instructions, whole prompts or single requirements.
            responses: n responses.

        Returns:
            float64 of shape (n,); NaN where a text is not valid Unicode.
        """
        return self._rewards(instructions, responses)[0]

    def _rewards(
        self, instructions: Sequence[Instruction], responses: Sequence[str]
    ) -> tuple[np.ndarray, np.ndarray]:
        """Rewards, and whether the text had to be cut; equal inputs are scored once."""
        pairs = list(zip(instructions, responses, strict=True))
        unique = {pair: i for i, pair in enumerate(dict.fromkeys(pairs))}
        encoded = [self._encode(*pair) for pair in unique]
        inputs = [self._cut(whole, *pair) for whole, pair in zip(encoded, unique, strict=True)]
        ids = [x["input_ids"] for x in inputs]
        values = np.full(len(ids), np.nan)
        waits = np.array([bool(x) for x in ids], dtype=bool)  # what is not readable stays NaN
        bar = tqdm(total=waits.sum(), desc=self.name, unit="text", disable=not self._progress)
        if self._sharing is not None:
            for shared, scores in self._sharing.scored(ids, self._token_budget):
                values[shared], waits[shared] = scores, False
                bar.update(len(shared))
        rest = np.flatnonzero(waits)
        lengths = [len(ids[i]) for i in rest]
        for batch in encoding.token_budget_batches(lengths, self._token_budget):
            values[rest[batch]] = self._forward([inputs[i] for i in rest[batch]])
            bar.update(len(batch))
        bar.close()
        was_cut = np.array([len(x["input_ids"]) > self.max_tokens for x in encoded], dtype=bool)
        places = [unique[pair] for pair in pairs]
        return values[places], was_cut[places]

    def _encode(self, instruction: Instruction, response: str) -> Inputs:
        """The whole text in tokens, its special tokens those of the template and no others."""
        if not self._pair:
            ids = encoding.encode(self._tokenizer, instruction, response, sys.maxsize)
            return {"input_ids": ids}
        request = encoding.as_text(instruction)
        if not encoding.is_unicode(request + response):
            return {"input_ids": []}
        encoded = self._tokenizer(
            request, response, split_special_tokens=True, verbose=False
        )  # the response cannot hold a separator that counts as one
        return {key: ids for key, ids in encoded.items() if key != "attention_mask"}

    def _cut(self, inputs: Inputs, instruction: Instruction, response: str) -> Inputs:
        step = self.max_tokens // 16  # so at most a sixteenth of the text is lost for it
        left = encoding.places_kept(
            inputs["input_ids"],
            lambda *pair: self._encode(*pair)["input_ids"],
            instruction,
            response,
            self.max_tokens,
            step,
        )
        return {key: [ids[i] for i in left] for key, ids in inputs.items()}

    @torch.inference_mode()
    def _forward(self, inputs: Sequence[Inputs], padding_side: str = "right") -> np.ndarray:
        """Rewards of one batch, shape [texts]."""
        padded = self._tokenizer.pad(
            {key: [x[key] for x in inputs] for key in inputs[0] if key in self._accepted},
            return_tensors="pt",
            padding_side=padding_side,
        ).to(self._model.device)
        if padding_side == "left":  # as generation does it: the first real token is at place 0
            padded["position_ids"] = (padded["attention_mask"].cumsum(-1) - 1).clamp(min=0)
        return self._read(self._model(**padded).logits)

    def _read(self, logits: torch.Tensor) -> np.ndarray:
        """The logit or the log-odds, shape [texts], of the model's logits [texts, labels]."""
        values = logits.double().cpu().numpy()
        if self._positive is None:
            return values[:, 0]
        return values[:, self._positive] - values[:, 1 - self._positive]

    def _reads_pairs(self, template: str) -> bool:
        """Whether texts are pairs; else turns of a chat, in a template that the tokenizer has."""
        if "{" in template:
            self._tokenizer.chat_template, template = template, "chat"
        has_template = bool(self._tokenizer.chat_template)
        if template == "auto":
            template = "chat" if self._is_decoder or has_template else "pair"
        if template not in ("chat", "pair"):
            raise WfineError(
                f"{self._where}: found template {template!r}; expected 'auto', 'chat', 'pair' or a "
                "Jinja template."
            )
        if template == "chat" and not has_template:
            raise WfineError(
                f"{self._where}: found a tokenizer without a chat template; expected one, because "
                "a decoder reads one text and not a pair. Give the template that the model was "
                "trained with as template=, in Jinja."
            )
        if template == "pair" and self._is_decoder:
            raise WfineError(
                f"{self._where}: found template 'pair' for a decoder; expected 'chat', because a "
                "decoder reads one text."
            )
        return template == "pair"
