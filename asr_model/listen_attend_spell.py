"""Listen, Attend and Spell (Chan et al., 2016): a pyramidal listener, and a speller that attends to what it heard.

Shapes: B batch, T frames, F features, S listener steps, U tokens, V vocabulary, H hidden, K beam.
Token 0, the blank of CTC, is what the speller starts from and ends with.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, ClassVar, Literal

import torch
from pydantic import Field
from torch import Tensor, nn

from asr_model.config import Settings
from asr_model.decoding import Hypothesis
from asr_model.layers import BiLstm, Dropout, length_mask
from asr_model.network import Loss, Network, ctc_loss
from asr_model.text import Alphabet

__all__ = ["ListenAttendSpell", "ListenAttendSpellSettings"]

END = 0


class ListenAttendSpellSettings(Settings):
    """Sizes of `ListenAttendSpell`, and how it is trained and read out."""

    kind: Literal["listen_attend_spell"] = "listen_attend_spell"
    pyramid: tuple[Annotated[int, Field(ge=1)], ...] = Field(default=(2, 2, 2), min_length=1)
    """Steps joined to one before each layer of the listener."""
    listener_size: int = Field(default=256, ge=1)
    """Units of one direction of one layer."""
    attention_size: int = Field(default=128, ge=1)
    location_width: int = Field(default=15, ge=1)
    """Steps around one of which the attention sees where it last was (Chorowski et al., 2015)."""
    embedding_size: int = Field(default=64, ge=1)
    speller_size: int = Field(default=256, ge=1)
    dropout: float = Field(default=0.2, ge=0, lt=1)
    scheduled_sampling: float = Field(default=0.1, ge=0, lt=1)
    """Part of the tokens that are fed as the speller wrote them in training, not as they are (Bengio et al., 2015)."""
    label_smoothing: float = Field(default=0.1, ge=0, lt=1)
    ctc_weight: float = Field(default=0.3, ge=0, lt=1)
    """Part of CTC in loss and scores: it holds the attention to the order of the sounds (Kim et al., 2017)."""
    beam_width: int = Field(default=8, ge=1)
    length_exponent: float = Field(default=1.0, ge=0)
    """Scores are divided by the number of tokens to this power: 0 favours short texts."""


@dataclass(frozen=True)
class Heard:
    """What the listener made of utterances: ``steps`` (B, S, H), their attention ``keys`` and ``mask`` (B, S)."""

    steps: Tensor
    keys: Tensor
    mask: Tensor

    def repeat(self, times: int) -> Heard:
        """Return the same for ``times`` readers of one utterance."""
        return Heard(*(x.expand(times, *x.shape[1:]) for x in (self.steps, self.keys, self.mask)))


@dataclass(frozen=True)
class State:
    """Where the speller stands: LSTM ``hidden`` and ``cell`` (B, H), ``context`` and where it ``looked`` (B, S)."""

    hidden: Tensor
    cell: Tensor
    context: Tensor
    looked: Tensor

    def select(self, rows: Tensor) -> State:
        """Return the states of some rows."""
        return State(self.hidden[rows], self.cell[rows], self.context[rows], self.looked[rows])


class ListenAttendSpell(Network):
    """Pyramidal bidirectional LSTM → location-aware attention → LSTM that writes a token at a time."""

    TOKEN_WEIGHTS: ClassVar[tuple[str, ...]] = (
        "embed.weight",
        "output.weight",
        "output.bias",
        "ctc.weight",
        "ctc.bias",
    )

    def __init__(self, settings: ListenAttendSpellSettings, num_features: int, vocabulary_size: int):
        super().__init__()
        self.settings = settings
        size, heard = num_features, 2 * settings.listener_size
        self.listener = nn.ModuleList()
        for joined in settings.pyramid:
            self.listener.append(BiLstm(size * joined, settings.listener_size, settings.dropout))
            size = heard
        self.ctc = nn.Linear(heard, vocabulary_size) if settings.ctc_weight else None
        self.embed = nn.Embedding(vocabulary_size, settings.embedding_size)
        self.cell = nn.LSTMCell(settings.embedding_size + heard, settings.speller_size)
        self.key = nn.Linear(heard, settings.attention_size)
        self.query = nn.Linear(settings.speller_size, settings.attention_size, bias=False)
        self.location = nn.Conv1d(1, settings.attention_size, 2 * (settings.location_width // 2) + 1, padding="same")
        self.energy = nn.Linear(settings.attention_size, 1, bias=False)
        self.combine = nn.Linear(settings.speller_size + heard, settings.speller_size)
        self.dropout = Dropout(settings.dropout)
        self.output = nn.Linear(settings.speller_size, vocabulary_size)

    def listen(self, features: Tensor, num_frames: Tensor) -> tuple[Heard, Tensor]:
        """Return what is heard in features (B, T, F) with lengths (B,), and its lengths (B,)."""
        x, lengths = features * length_mask(num_frames, features.shape[1])[:, :, None], num_frames
        for joined, layer in zip(self.settings.pyramid, self.listener, strict=True):
            x = nn.functional.pad(x, (0, 0, 0, -x.shape[1] % joined))
            x = x.reshape(len(x), x.shape[1] // joined, joined * x.shape[2])
            lengths = (lengths + joined - 1) // joined
            x = layer(x, lengths) * length_mask(lengths, x.shape[1])[:, :, None]
        return Heard(x, self.key(x), length_mask(lengths, x.shape[1])), lengths

    def spell(self, heard: Heard, tokens: Tensor) -> Tensor:
        """Return log-probabilities (B, U + 1, V) float32 of each of ``tokens`` (B, U) and of what comes after them.

        In training some tokens are fed as the speller itself would have written them.
        """
        state, previous = self._start(heard), tokens.new_full(tokens.shape[:1], END)
        written = []
        for position in range(tokens.shape[1] + 1):
            log_probs, state = self._step(previous, state, heard)
            written.append(log_probs)
            if position < tokens.shape[1]:
                previous = tokens[:, position]
                if self.training and self.settings.scheduled_sampling:
                    own = torch.multinomial(log_probs.detach().exp(), 1)[:, 0]
                    sampled = torch.rand(len(own), device=own.device) < self.settings.scheduled_sampling
                    previous = torch.where(sampled, own, previous)
        return torch.stack(written, dim=1)

    def loss(self, features: Tensor, num_frames: Tensor, tokens: Tensor, num_tokens: Tensor) -> Loss:
        """Return the cross entropy of the tokens and of the end after them, mixed with the CTC loss."""
        heard, num_steps = self.listen(features, num_frames)
        targets = nn.functional.pad(tokens, (0, 1))
        position = torch.arange(targets.shape[1], device=tokens.device)
        targets = targets.masked_fill(position == num_tokens[:, None], END)
        targets = targets.masked_fill(position > num_tokens[:, None], -100)  # not counted
        spelling = nn.functional.cross_entropy(
            self.spell(heard, tokens).transpose(1, 2),
            targets,
            reduction="sum",
            label_smoothing=self.settings.label_smoothing,
        )
        if self.ctc is None:
            return Loss(spelling, num_tokens.sum(), torch.zeros_like(num_tokens).sum())
        weight = self.settings.ctc_weight
        ctc = ctc_loss(self.ctc(heard.steps).float().log_softmax(-1), num_steps, tokens, num_tokens)
        return Loss((1 - weight) * spelling + weight * ctc.total, num_tokens.sum(), ctc.infeasible)

    def decode(self, features: Tensor, num_frames: Tensor, alphabet: Alphabet) -> list[Hypothesis]:
        """Return the best hypotheses of beam search."""
        heard, num_steps = self.listen(features, num_frames)
        hypotheses = []
        for row, steps in enumerate(num_steps.tolist()):
            one = Heard(*(x[row : row + 1, :steps] for x in (heard.steps, heard.keys, heard.mask)))
            tokens, score = self._search(one, 2 * steps + 8)
            text = " ".join(alphabet.decode(tokens).split())
            hypotheses.append(Hypothesis(text, math.exp(score / (len(tokens) + 1)) if text else 0.0))
        return hypotheses

    def _search(self, heard: Heard, max_tokens: int) -> tuple[list[int], float]:
        """Return the tokens of the best score and the speller's log-probability of them, for one utterance."""
        width = self.settings.beam_width
        alive: list[list[int]] = [[]]
        scores = heard.steps.new_zeros(1)
        state = self._start(heard)
        ended: list[tuple[list[int], float]] = []
        for _ in range(max_tokens):
            previous = torch.tensor([tokens[-1] if tokens else END for tokens in alive], device=scores.device)
            log_probs, state = self._step(previous, state, heard.repeat(len(alive)))
            extended = (scores[:, None] + log_probs).flatten()
            # Twice the width: should all of the best have ended, as many are left that go on.
            best, places = extended.topk(min(2 * width, len(extended)))
            rows, tokens = places // log_probs.shape[1], places % log_probs.shape[1]
            choices = list(zip(rows.tolist(), tokens.tolist(), best.tolist(), strict=True))
            ended += [(alive[row], score) for row, token, score in choices[:width] if token == END]
            going = [number for number, (_, token, _) in enumerate(choices) if token != END][:width]
            if len(ended) >= width or not going:
                break
            alive = [[*alive[choices[number][0]], choices[number][1]] for number in going]
            scores, state = best[going], state.select(rows[going])
        return self._best(ended or list(zip(alive, scores.tolist(), strict=True)), heard)

    def _best(self, ended: list[tuple[list[int], float]], heard: Heard) -> tuple[list[int], float]:
        """Return the one of the best score for its length; scores are the speller's, mixed with CTC's."""
        texts, scores = zip(*ended, strict=True)
        if self.ctc is not None:
            weight = self.settings.ctc_weight
            ctc = self._ctc_scores(self.ctc(heard.steps).float().log_softmax(-1), texts)
            scores = tuple((1 - weight) * s + weight * c for s, c in zip(scores, ctc, strict=True))
        by_length = [s / (len(t) + 1) ** self.settings.length_exponent for t, s in zip(texts, scores, strict=True)]
        return ended[max(range(len(ended)), key=by_length.__getitem__)]

    def _start(self, heard: Heard) -> State:
        batch, steps = heard.mask.shape
        zeros = heard.steps.new_zeros(batch, self.settings.speller_size)
        return State(
            zeros, zeros, heard.steps.new_zeros(batch, heard.steps.shape[2]), heard.mask.new_zeros(batch, steps)
        )

    def _step(self, previous: Tensor, state: State, heard: Heard) -> tuple[Tensor, State]:
        """Return log-probabilities (B, V) float32 of the token after ``previous`` (B,), and the state there."""
        entering = torch.cat([self.dropout(self.embed(previous)), state.context], dim=-1)
        hidden, cell = self.cell(entering, (state.hidden, state.cell))
        location = self.location(state.looked[:, None]).transpose(1, 2)
        energy = self.energy(torch.tanh(heard.keys + self.query(hidden)[:, None] + location))[:, :, 0].float()
        looks = energy.masked_fill(heard.mask == 0, -torch.inf).softmax(dim=-1)
        context = torch.einsum("bs,bsh->bh", looks.to(heard.steps.dtype), heard.steps)
        combined = torch.tanh(self.combine(torch.cat([hidden, context], dim=-1)))
        log_probs = self.output(self.dropout(combined)).float().log_softmax(-1)
        return log_probs, State(hidden, cell, context, looks)

    def _ctc_scores(self, log_probs: Tensor, texts: Sequence[list[int]]) -> list[float]:
        """Return CTC's log-probability of each of ``texts`` under log-probabilities (1, S, V)."""
        num_texts, steps = len(texts), log_probs.shape[1]
        lengths = torch.tensor([len(tokens) for tokens in texts])
        tokens = nn.utils.rnn.pad_sequence([torch.tensor(t, dtype=torch.long) for t in texts], batch_first=True)
        repeated = log_probs.cpu().transpose(0, 1).expand(-1, num_texts, -1)
        num_steps = torch.full((num_texts,), steps)
        losses = nn.functional.ctc_loss(repeated, tokens, num_steps, lengths, reduction="none")
        return [-loss for loss in losses.tolist()]
