"""The models as their authors wrote them, to hold the plugin's against."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class AlogDetectDeepLog(nn.Module):
    """alog-detect's: padding index 0, logits of every step; only the last step's are used."""

    def __init__(self, vocab_size: int, embed_dim: int, hidden_dim: int) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab_size, embed_dim, padding_idx=0)
        self.lstm = nn.LSTM(embed_dim, hidden_dim, batch_first=True)
        self.fc = nn.Linear(hidden_dim, vocab_size)

    def forward(self, x: Tensor) -> Tensor:
        out, _ = self.lstm(self.embed(x))
        return self.fc(out)


class PypiDeepLog(nn.Module):
    """PyPI's ``deeplog`` and the paper: one-hot vectors, explicit zero states, a head ``out``."""

    def __init__(
        self, input_size: int, hidden_size: int, output_size: int, num_layers: int
    ) -> None:
        super().__init__()
        self.input_size, self.hidden_size, self.num_layers = input_size, hidden_size, num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.out = nn.Linear(hidden_size, output_size)

    def forward(self, x: Tensor) -> Tensor:
        one_hot = nn.functional.one_hot(x, self.input_size).to(torch.float32)
        start = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        steps, _ = self.lstm(one_hot, (start, start))
        return self.out(steps[:, -1])


class PaddedDeepLog(nn.Module):
    """An embedding with a row for padding, and layers of names of their own."""

    def __init__(self, rows: int, classes: int, padding: int) -> None:
        super().__init__()
        self.embedding = nn.Embedding(rows, 6, padding_idx=padding)
        self.rnn = nn.LSTM(6, 8, batch_first=True)
        self.head = nn.Linear(8, classes)

    def forward(self, x: Tensor) -> Tensor:
        steps, _ = self.rnn(self.embedding(x))
        return self.head(steps[:, -1])


class Wuyifan18DeepLog(nn.Module):
    """wuyifan18/DeepLog's, which logdeep shares: float ids, one feature, explicit zero states."""

    def __init__(self, input_size: int, hidden_size: int, num_layers: int, num_keys: int) -> None:
        super().__init__()
        self.hidden_size = hidden_size
        self.num_layers = num_layers
        self.lstm = nn.LSTM(input_size, hidden_size, num_layers, batch_first=True)
        self.fc = nn.Linear(hidden_size, num_keys)

    def forward(self, x: Tensor) -> Tensor:
        h0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        c0 = torch.zeros(self.num_layers, x.size(0), self.hidden_size)
        out, _ = self.lstm(x, (h0, c0))
        return self.fc(out[:, -1, :])
