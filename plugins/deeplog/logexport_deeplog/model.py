"""DeepLog as torch modules: a window of event ids to the logits of the next event.

Du, Li, Zheng, Srikumar: "DeepLog: Anomaly Detection and Diagnosis from System Logs through Deep
Learning", CCS 2017, section 3.1 (the log key model).

Every module takes int64 ``[batch_size, sequence_length]`` and returns float32
``[batch_size, vocab_size]``, the logits after the last step. The output layer is applied to the
last hidden state alone: the same numbers as the last row of a layer applied to every step, for one
step's work. None names an initial state, so no batch size is frozen when a graph is traced.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

LOWEST = torch.finfo(torch.float32).min
"""The logit of an entry that the output layer has no class for: it is never likelier than another,
and finite."""


class EmbeddedEvents(nn.Module):
    """Event ids through an embedding: alog-detect's model and this project's.

    Args:
        vocab_size, embed_dim, hidden_dim, num_layers: sizes, each at least 1.
        classes: of the output layer; None for ``vocab_size``. What is fewer are entries that stand
            for no template, such as padding.
        first_class: the entry that class 0 is.
    """

    def __init__(
        self,
        vocab_size: int,
        embed_dim: int,
        hidden_dim: int,
        num_layers: int,
        classes: int | None = None,
        first_class: int = 0,
    ) -> None:
        super().__init__()
        classes = vocab_size if classes is None else classes
        self.without_class = (first_class, vocab_size - classes - first_class)
        # alog-detect declares index 0 as padding; that changes gradients, not this forward pass.
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, classes)

    def forward(self, input_sequence: Tensor) -> Tensor:
        """int64 ``[batch_size, sequence_length]`` to float32 ``[batch_size, vocab_size]``."""
        _, (hidden, _) = self.lstm(self.embed(input_sequence))
        return _widen(self.fc(hidden[-1]), self.without_class)


class EventIdsAsNumbers(nn.Module):
    """The event id itself as the one feature of a step: wuyifan18/DeepLog and logdeep."""

    def __init__(self, vocab_size: int, hidden_dim: int, num_layers: int) -> None:
        super().__init__()
        self.lstm = nn.LSTM(1, hidden_dim, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, vocab_size)

    def forward(self, input_sequence: Tensor) -> Tensor:
        """int64 ``[batch_size, sequence_length]`` to float32 ``[batch_size, vocab_size]``."""
        _, (hidden, _) = self.lstm(input_sequence.to(torch.float32).unsqueeze(-1))
        logits: Tensor = self.fc(hidden[-1])
        return logits


class OneHotEvents(nn.Module):
    """A step is the one-hot vector of its event id, as the paper has it and PyPI's ``deeplog``.

    Args:
        vocab_size: the length of the vectors.
        hidden_dim, num_layers: sizes, each at least 1.
        classes: as of :class:`EmbeddedEvents`; PyPI's ``deeplog`` has a last id for no event.
    """

    ids: Tensor

    def __init__(
        self, vocab_size: int, hidden_dim: int, num_layers: int, classes: int | None = None
    ) -> None:
        super().__init__()
        classes = vocab_size if classes is None else classes
        self.without_class = (0, vocab_size - classes)
        self.lstm = nn.LSTM(vocab_size, hidden_dim, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, classes)
        self.register_buffer("ids", torch.arange(vocab_size), persistent=False)

    def forward(self, input_sequence: Tensor) -> Tensor:
        """int64 ``[batch_size, sequence_length]`` to float32 ``[batch_size, vocab_size]``."""
        one_hot = torch.eq(input_sequence.unsqueeze(-1), self.ids).to(torch.float32)
        _, (hidden, _) = self.lstm(one_hot)
        return _widen(self.fc(hidden[-1]), self.without_class)


def _widen(logits: Tensor, without_class: tuple[int, int]) -> Tensor:
    """Logits of all entries: :data:`LOWEST` for those before and after the ones with a class."""
    if not any(without_class):
        return logits
    return nn.functional.pad(logits, without_class, value=LOWEST)
