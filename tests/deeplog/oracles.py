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
