"""The network: which event comes after those of a window.

Vaswani et al., "Attention Is All You Need", 2017, with layer norms before the sub-layers as in
Radford et al., 2019 (GPT-2). Attention is written out in operators that every exporter of torch
1.13 to 2.15 turns into a graph of any length; ``nn.TransformerEncoder`` is bound to the traced
length by TorchScript and refused by dynamo.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn

_FAR = -1e9
"""Added to the score of a later event, whose weight becomes exactly 0."""


@dataclass(frozen=True)
class Sizes:
    """Sizes of the network; ``width`` is a multiple of ``2 * heads``."""

    vocab_size: int
    width: int = 32
    heads: int = 2
    layers: int = 2


class Attention(nn.Module):
    """Each event looks at itself and those before it."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.head_width = width // heads
        self.query = nn.Linear(width, width)
        self.key = nn.Linear(width, width)
        self.value = nn.Linear(width, width)
        self.out = nn.Linear(width, width)

    def _split(self, x: Tensor) -> Tensor:
        """[batch, length, width] to [batch, heads, length, head_width]; reshape, as unflatten
        does not export on torch 1.13."""
        shape = (x.shape[0], x.shape[1], self.heads, self.head_width)
        return x.reshape(shape).transpose(1, 2)

    def forward(self, x: Tensor, later: Tensor) -> Tensor:
        """x: [batch, length, width]; later: [batch, 1, length, length], 0 or very negative."""
        query, key, value = (self._split(part(x)) for part in (self.query, self.key, self.value))
        scores = torch.matmul(query, key.transpose(2, 3)) / math.sqrt(self.head_width)
        mixed = torch.matmul(torch.softmax(scores + later, dim=3), value).transpose(1, 2)
        out: Tensor = self.out(mixed.reshape(x.shape))
        return out


class Block(nn.Module):
    """Attention and a small network for each event, each added to what came in."""

    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.norm_attention = nn.LayerNorm(width)
        self.attention = Attention(width, heads)
        self.norm_network = nn.LayerNorm(width)
        self.network = nn.Sequential(
            nn.Linear(width, 2 * width), nn.GELU(), nn.Linear(2 * width, width)
        )

    def forward(self, x: Tensor, later: Tensor) -> Tensor:
        """As :class:`Attention`."""
        x = x + self.attention(self.norm_attention(x), later)
        out: Tensor = x + self.network(self.norm_network(x))
        return out


class CausalTransformer(nn.Module):
    """int64 [batch_size, sequence_length] to the logits of the next event, float32
    [batch_size, vocab_size]."""

    frequencies: Tensor

    def __init__(self, sizes: Sizes) -> None:
        super().__init__()
        self.embed = nn.Embedding(sizes.vocab_size, sizes.width)
        self.blocks = nn.ModuleList(Block(sizes.width, sizes.heads) for _ in range(sizes.layers))
        self.norm = nn.LayerNorm(sizes.width)
        self.out = nn.Linear(sizes.width, sizes.vocab_size)
        steps = torch.arange(sizes.width // 2, dtype=torch.float32)
        frequencies = torch.exp(-math.log(10_000.0) * 2 * steps / sizes.width)
        self.register_buffer("frequencies", frequencies, persistent=False)

    def forward(self, input_sequence: Tensor) -> Tensor:
        """Logits after the last event of each window."""
        # Positions by cumsum: an arange of the length would be traced as a constant.
        place = torch.cumsum(torch.ones_like(input_sequence), dim=1)
        angles = place.unsqueeze(2).to(torch.float32) * self.frequencies
        x = self.embed(input_sequence) + torch.cat((torch.sin(angles), torch.cos(angles)), dim=2)
        is_later = place.unsqueeze(1) > place.unsqueeze(2)
        later = (is_later.to(torch.float32) * _FAR).unsqueeze(1)
        for block in self.blocks:
            x = block(x, later)
        logits: Tensor = self.out(self.norm(x[:, -1]))
        return logits
