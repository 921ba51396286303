"""DeepLog as torch modules: a window of event ids to the logits of the next event.

Du, Li, Zheng, Srikumar: "DeepLog: Anomaly Detection and Diagnosis from System Logs through Deep
Learning", CCS 2017, section 3.1 (the log key model).

Both modules take int64 ``[batch_size, sequence_length]`` and return float32
``[batch_size, vocab_size]``, the logits after the last step. The output layer is applied to the
last hidden state alone: the same numbers as the last row of a layer applied to every step, for one
step's work. Neither names an initial state, so no batch size is frozen when a graph is traced.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn


class EmbeddedEvents(nn.Module):
    """Event ids through an embedding: alog-detect's model and this project's.

    Args:
        vocab_size, embed_dim, hidden_dim, num_layers: sizes, each at least 1.
    """

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int, num_layers: int) -> None:
        super().__init__()
        # alog-detect declares index 0 as padding; that changes gradients, not this forward pass.
        self.embed = nn.Embedding(vocab_size, embed_dim)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_dim, vocab_size)

    def forward(self, input_sequence: Tensor) -> Tensor:
        """int64 ``[batch_size, sequence_length]`` to float32 ``[batch_size, vocab_size]``."""
        _, (hidden, _) = self.lstm(self.embed(input_sequence))
        logits: Tensor = self.fc(hidden[-1])
        return logits


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
