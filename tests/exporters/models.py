"""Modules that the export tests use; importable, since a dynamo export rebuilds them elsewhere."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any

import torch
from torch import nn


class LastStepLSTM(nn.Module):
    """DeepLog's shape: int64 ``[batch, length]`` to logits ``[batch, vocab]`` of the last step."""

    def __init__(self, vocab: int = 13, bidirectional: bool = False) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, 6)
        self.lstm = nn.LSTM(6, 8, batch_first=True, num_layers=2, bidirectional=bidirectional)
        self.fc = nn.Linear(8 * (2 if bidirectional else 1), vocab)

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        steps, _ = self.lstm(self.embed(events))
        return self.fc(steps[:, -1])


class ConvAutoencoder(nn.Module):
    """MSCRED's shape in small: ``[batch, 1, steps, features]`` to reconstruction, score, shares."""

    def __init__(self) -> None:
        super().__init__()
        self.down = nn.Conv2d(1, 4, 3, padding=1)
        self.norm = nn.BatchNorm2d(4)
        self.pool = nn.MaxPool2d(2)
        self.up = nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)

    def forward(self, counts: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        inner = self.up(self.pool(torch.relu(self.norm(self.down(counts)))))
        rebuilt = nn.functional.interpolate(
            inner, size=counts.shape[2:], mode="bilinear", align_corners=False
        )
        error = (rebuilt - counts) ** 2
        return rebuilt, error.mean(dim=(1, 2, 3)), error.mean(dim=(1, 2))


class SecretlyStatic(nn.Module):
    """Reshapes with the traced batch size as a Python number: no other size runs."""

    def __init__(self) -> None:
        super().__init__()
        self.fc = nn.Linear(4, 3)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return self.fc(values).reshape(int(values.shape[0]), 3)


class TimeFirstLSTM(nn.Module):
    """The same job with ``batch_first=False``: dynamo on torch 2.13 binds it to the traced sizes
    while its graph still declares them dynamic."""

    def __init__(self, vocab: int = 13, bidirectional: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(vocab, 6)
        self.lstm = nn.LSTM(6, 8, bidirectional=bidirectional)
        self.fc = nn.Linear(16 if bidirectional else 8, vocab)

    def forward(self, events: torch.Tensor) -> torch.Tensor:
        steps, _ = self.lstm(self.embed(events).transpose(0, 1))
        return self.fc(steps[-1])


class Hanging(nn.Module):
    """Never comes back where another process rebuilds it; that process's number is in a file."""

    def __init__(self, pid_file: str) -> None:
        super().__init__()
        self.pid_file = pid_file

    def __setstate__(self, state: dict[str, Any]) -> None:
        Path(state["pid_file"]).write_text(str(os.getpid()))
        print("about to hang", flush=True)  # noqa: T201
        time.sleep(600)

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        return values


class Crashing(nn.Module):
    """Takes its process along."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        print("about to crash", flush=True)  # noqa: T201
        os.abort()


class Refusing(nn.Module):
    """Raises while it is traced."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        raise ArithmeticError("this module cannot be traced")


class Talkative(nn.Module):
    """Prints from Python and on the bare descriptors while it is traced."""

    def forward(self, values: torch.Tensor) -> torch.Tensor:
        print("python says hello")  # noqa: T201
        os.write(1, b"standard output says hello\n")
        os.write(2, b"standard error says hello\n")
        return values * 2
