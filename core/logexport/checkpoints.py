"""Checkpoints, read safely and written so that every supported torch reads them. For plugins.

A PyTorch checkpoint is a pickle, and a pickle can run code when it is read. Files are therefore
read with ``weights_only=True`` or by safetensors and by nothing else, bounded in size, and every
tensor is checked before a plugin sees it. What the numbers mean is the plugin's business.
"""

from __future__ import annotations

import json
import math
import re
import shlex
import zipfile
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from logexport.errors import CheckpointError, UsageError
from logexport.files import STAND_IN_BYTES, refuse_stand_in

if TYPE_CHECKING:
    import torch

__all__ = [
    "MAX_BYTES",
    "Checkpoint",
    "Facts",
    "Weights",
    "as_float32",
    "check_checkpoint_path",
    "describe",
    "find_weights",
    "load_checkpoint",
    "misfit",
    "pickle_warnings",
    "require_finite",
    "save_checkpoint",
    "shorten",
    "strip_prefixes",
]

MAX_BYTES = 4 * 2**30
"""Largest checkpoint file, and largest sum of its tensors, in bytes."""

_MAX_PICKLE_BYTES = 64 * 2**20
_MAX_SETTINGS_CHARS = 16 * 2**20

_TRAIN = "Train the model again."
_WRAPPERS = ("state_dict", "model_state_dict")

_WEIGHT = re.compile(r"(?:^|\.)(?:weight|bias)(?:_|$)")
"""In names of a module's parameters: ``fc.weight``, ``lstm.bias_hh_l0``."""

_CONVERT = (
    "Convert it where you trust its source: torch.save(torch.load(FILE, map_location='cpu', "
    "weights_only=False)['state_dict'], NEW_FILE), or the plain state dict if it holds a module."
)


@dataclass(frozen=True)
class Checkpoint:
    """What a checkpoint file holds.

    Args:
        path: where it was read from.
        content: string keys to tensors (on the CPU, dense), numbers, strings, lists and dicts. A
            safetensors file gives ``{"state_dict": tensors by name, **settings}``.
        warnings: sentences for the report.
    """

    path: Path
    content: Mapping[str, Any]
    warnings: tuple[str, ...] = ()

    def settings(self) -> Mapping[str, Any]:
        """What :func:`save_checkpoint` was given as ``settings``; empty where there are none.

        Raises:
            CheckpointError: they are not a JSON object.
        """
        stored = self.content.get("settings")
        if isinstance(stored, str):  # torch.save holds them as text, safetensors as they are
            stored = _json_object(self.path, stored)
        return stored if isinstance(stored, Mapping) else {}


def load_checkpoint(path: Path) -> Checkpoint:
    """Read a ``.pth``, ``.pt`` or ``.safetensors`` file; the content decides which it is.

    The settings of a safetensors file are the entry ``settings`` of its metadata header, one JSON
    object; other entries of the header are ignored.

    Raises:
        CheckpointError: the file is missing, no regular file, too large, of another type, damaged,
            holds more than plain values and dense tensors, or holds Python objects.
    """
    path = Path(path)
    try:
        if not path.exists():
            raise CheckpointError(f"{path}: there is no such checkpoint file")
        if not path.is_file():
            raise CheckpointError(f"{path} is not a regular file, so it cannot be a checkpoint")
        size = path.stat().st_size
        with path.open("rb") as file:
            head = file.read(STAND_IN_BYTES)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from error
    if size == 0:
        raise CheckpointError(f"{path} is empty", "Copy or download it anew.")
    refuse_stand_in(path, head, CheckpointError)
    if size > MAX_BYTES:
        raise CheckpointError(
            f"{path} has {size:,} bytes; checkpoints of more than {MAX_BYTES:,} are refused"
        )
    warnings: tuple[str, ...] = ()
    if path.suffix == ".safetensors" or _looks_like_safetensors(head, size):
        content = _read_safetensors(path)
    elif head.startswith((b"PK\x03\x04", b"\x80")):
        if head.startswith(b"P"):
            _check_archive(path)
        content = _read_pickle(path)
        warnings = pickle_warnings()
    else:
        raise CheckpointError(
            f"{path} is neither a PyTorch checkpoint nor a safetensors file",
            "A checkpoint is what torch.save or safetensors wrote.",
        )
    _check_tensors(path, content)
    return Checkpoint(path, content, warnings)


@dataclass(frozen=True)
class Facts:
    """What a checkpoint says beside its weights: anything, until it has been asked for by its type.

    Args:
        path: the checkpoint, for errors.
        entries: names to values.
    """

    path: Path
    entries: Mapping[str, Any]

    def integer(self, name: str, least: int = 1, most: int = 2**31 - 1) -> int | None:
        """A whole number within bounds, both included; None where there is none of that name.

        Raises:
            CheckpointError: it is something else, a bool too, or beyond the bounds.
        """
        value = self.entries.get(name)
        if value is None:
            return None
        if isinstance(value, bool) or not isinstance(value, int) or not least <= value <= most:
            raise CheckpointError(
                f"{self.path} says {name} = {_shown(value)}, which is no whole number from {least}"
                f" to {most}"
            )
        return value

    def needed_integer(self, name: str, least: int = 1, most: int = 2**31 - 1) -> int:
        """As :meth:`integer`, of a number that must be there.

        Raises:
            CheckpointError: see :meth:`integer`, or there is none.
        """
        value = self.integer(name, least, most)
        if value is None:
            raise CheckpointError(f"{self.path} does not say {name}", _TRAIN)
        return value

    def number(self, name: str) -> float | None:
        """A finite number; None where there is none of that name.

        Raises:
            CheckpointError: it is something else, a bool too, or not finite.
        """
        value = self.entries.get(name)
        if value is None:
            return None
        return _finite(self.path, name, value)

    def numbers(self, name: str) -> dict[str, float]:
        """An object of finite numbers, such as thresholds; empty where there is none of that name.

        Raises:
            CheckpointError: it is something else, or one of its values is.
        """
        value = self.entries.get(name)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            raise CheckpointError(f"{self.path} holds {name} that are no JSON object", _TRAIN)
        return {
            str(key): _finite(self.path, f"{name}.{_shown(key)}", one) for key, one in value.items()
        }

    def sha256(self, name: str = "vocab_sha256") -> str | None:
        """A SHA-256 in hexadecimal digits; None where there is none of that name.

        Raises:
            CheckpointError: it is something else.
        """
        value = self.entries.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or len(value) != 64:
            raise CheckpointError(f"{self.path} says {name} = {_shown(value)}, which is no SHA-256")
        return value


def _finite(path: Path, name: str, value: Any) -> float:
    if isinstance(value, (int, float)) and not isinstance(value, bool):
        try:
            number = float(value)
        except OverflowError:  # a whole number beyond a double's range
            number = math.inf
        if math.isfinite(number):
            return number
    raise CheckpointError(f"{path} says {name} = {_shown(value)}, which is no number", _TRAIN)


def _shown(value: Any) -> str:
    """A value in one short line; Python itself refuses to write a number of thousands of digits."""
    try:
        return " ".join(str(value).split())[:80]
    except ValueError:
        return f"{type(value).__name__} of thousands of digits"


@dataclass(frozen=True)
class Weights:
    """A state dict found in a checkpoint.

    Args:
        tensors: by the names that they have there; :func:`strip_prefixes` gives their own.
        facts: what stands beside it.
        wrapped: whether it stood inside a dict, which says more of itself than a bare state dict. A
            safetensors file has no inside: it counts as wrapped where it holds settings.
    """

    tensors: dict[str, torch.Tensor]
    facts: Facts
    wrapped: bool


def find_weights(checkpoint: Checkpoint) -> Weights | None:
    """The state dict of a checkpoint: all of it, or the one dict of tensors alone inside it.

    ``state_dict`` and ``model_state_dict`` go before others, at most two dicts deep; among those,
    dicts with names of weights go before others. None if there is no such dict.

    Raises:
        CheckpointError: there are several, and nothing says which.
    """
    content = checkpoint.content
    if _holds_tensors(content):
        wrapped = False
        inside, beside = content, {}
    else:
        found = _dicts_of_tensors(content)
        if not found:
            return None
        if len(found) > 1:
            raise _ambiguous(checkpoint.path, list(found))
        ((place, inside),) = found.items()
        beside = {key: value for key, value in content.items() if key != place[0]}
        if len(place) > 1:
            siblings = content[place[0]].items()
            beside |= {str(key): value for key, value in siblings if key != place[1]}
        wrapped = bool(beside) or checkpoint.path.suffix != ".safetensors"
    named = {str(name): tensor for name, tensor in inside.items()}
    return Weights(named, Facts(checkpoint.path, beside), wrapped)


def _holds_tensors(value: Any) -> bool:
    import torch

    return (
        isinstance(value, Mapping)
        and bool(value)
        and all(isinstance(one, torch.Tensor) for one in value.values())
    )


def _dicts_of_tensors(content: Mapping[str, Any]) -> dict[tuple[str, ...], Mapping[Any, Any]]:
    """Dicts of tensors alone inside a checkpoint, by the keys that lead to them; those that are
    likelier to be a model's, if some are."""
    for key in _WRAPPERS:
        if isinstance(content.get(key), Mapping):
            return {(key,): content[key]} if _holds_tensors(content[key]) else {}
    found: dict[tuple[str, ...], Mapping[Any, Any]] = {}
    for key, value in content.items():
        if _holds_tensors(value):
            found[key,] = value
        elif isinstance(value, Mapping):
            found.update({(key, k): inner for k, inner in value.items() if _holds_tensors(inner)})
    for is_likely in (
        lambda place, _: place[-1] in _WRAPPERS,
        lambda _, tensors: any(_WEIGHT.search(str(name)) for name in tensors),
    ):
        likely = {place: tensors for place, tensors in found.items() if is_likely(place, tensors)}
        found = likely or found
    return found


def _ambiguous(path: Path, places: list[tuple[str, ...]]) -> CheckpointError:
    names = [".".join(map(str, place))[:80] for place in places]
    way = "".join(f"[{key!r}]" for key in places[0])
    save = f"torch.save(torch.load({str(path)!r}, weights_only=True){way}, 'model.pth')"
    code = f"import torch; {save}"
    quoted = shlex.quote(code) if set(code) & set('"$`\\!') else f'"{code}"'
    return CheckpointError(
        f"{path} holds several dicts of weights, and nothing says which one is the model:"
        f" {shorten(names)}",
        f"Save the one that is, here the first: python -c {quoted}",
    )


def misfit(
    tensors: Mapping[str, torch.Tensor],
    shapes: Mapping[str, tuple[int, ...]],
    counters: Collection[str] = (),
) -> str | None:
    """Why tensors are not the weights of a model, for a message; None where they are.

    Args:
        tensors: by their own names.
        shapes: of all that the model has, by name. A file may claim any size: compute them, or make
            the model, from sizes that weights have or that are bounded.
        counters: names of those that need not hold floating point numbers.
    """
    found = {name: tuple(tensor.shape) for name, tensor in tensors.items()}
    for name in sorted(shapes.keys() | found.keys()):
        if name not in found:
            return f"it has no {name}"
        if name not in shapes:
            return f"no known kind has {name}"
        if found[name] != shapes[name]:
            return f"{name} is {found[name]} where {shapes[name]} would fit the rest"
        if name not in counters and not tensors[name].is_floating_point():
            return f"{name} holds {tensors[name].dtype}, not weights"
    return None


def as_float32(
    path: Path, tensors: Mapping[str, torch.Tensor]
) -> tuple[dict[str, torch.Tensor], tuple[str, ...]]:
    """Floating point tensors as float32, others as they are, and a warning where that changed one.

    Args:
        path: the checkpoint, for errors and warnings.
        tensors: of any shape and dtype.

    Raises:
        CheckpointError: one holds NaN or infinity, before or after: a double may overflow float32.
    """
    import torch

    require_finite(path, tensors)
    floats = {name: tensor for name, tensor in tensors.items() if tensor.is_floating_point()}
    single = {name: tensor.to(torch.float32) for name, tensor in floats.items()}
    require_finite(path, single)
    other = sorted({str(tensor.dtype) for tensor in floats.values()} - {"torch.float32"})
    warnings = [f"{path} has {' and '.join(other)} weights; they are exported as float32."]
    return {**tensors, **single}, tuple(warnings if other else ())


def strip_prefixes(weights: Mapping[Any, torch.Tensor]) -> dict[str, torch.Tensor]:
    """Weights by their own names: without what DataParallel, torch.compile and wrappers put before.

    A prefix goes where every name has it, one after another.
    """
    named = {str(name): value for name, value in weights.items()}
    stripped = True
    while stripped:
        stripped = False
        for prefix in ("module.", "_orig_mod.", "model."):
            if all(name.startswith(prefix) for name in named):
                named = {name[len(prefix) :]: value for name, value in named.items()}
                stripped = True
    return named


def check_checkpoint_path(path: Path) -> None:
    """Find out before training whether :func:`save_checkpoint` will be able to write ``path``.

    Raises:
        UsageError: its name is not a checkpoint's.
        OutputError: it cannot be written.
    """
    from logexport.files import check_writable

    if path.suffix not in (".pth", ".pt", ".safetensors"):
        raise UsageError(
            f"{path} has none of the suffixes of a checkpoint", "Use .pth, .pt or .safetensors."
        )
    check_writable(path)


def save_checkpoint(
    path: Path,
    state_dict: Mapping[str, torch.Tensor],
    entries: Mapping[str, bool | int | str | None],
    settings: Mapping[str, Any],
) -> None:
    """Write a checkpoint atomically, as safetensors where the name ends so, else by ``torch.save``.

    Args:
        path: the file; replaced only when the new one is complete.
        state_dict: weights by name, written on the CPU.
        entries: facts beside the weights. No floats: torch 1.13 does not read them safely.
        settings: anything that JSON holds; stored as one JSON string under ``settings``.

    Raises:
        OutputError: the file cannot be written.
    """
    import torch

    from logexport.files import atomic_path

    # Clones: a view would bring along the whole storage that it looks into.
    tensors = {
        name: tensor.detach().to("cpu").contiguous().clone() for name, tensor in state_dict.items()
    }
    with atomic_path(path) as temporary:
        if Path(path).suffix == ".safetensors":
            from safetensors.torch import save_file

            header = {"settings": _json_text({**entries, "settings": settings})}
            save_file(tensors, str(temporary), metadata=header)
        else:
            content = {"state_dict": tensors, **entries, "settings": _json_text(settings)}
            # The archive's inner folder would otherwise carry the temporary name.
            with temporary.open("wb") as file:
                torch.save(content, file)


def pickle_warnings() -> tuple[str, ...]:
    """What is publicly known against this torch's safe reading of pickles, as sentences."""
    import torch
    from packaging.version import Version

    installed = Version(Version(torch.__version__).base_version)
    known = []
    if installed <= Version("2.5.1"):
        known.append("CVE-2025-32434 (code execution despite weights_only=True, torch <= 2.5.1)")
    if installed < Version("2.10"):
        known.append("CVE-2026-24747 (torch < 2.10)")
    if not known:
        return ()
    return (
        f"torch {torch.__version__} reads checkpoint pickles with known holes: "
        f"{' and '.join(known)}. Read only checkpoints that you trust, or use .safetensors.",
    )


def require_finite(path: Path, tensors: Mapping[str, torch.Tensor]) -> None:
    """Refuse weights that hold NaN or infinity.

    Raises:
        CheckpointError: naming the tensors.
    """
    import torch

    bad = [
        name
        for name, tensor in tensors.items()
        if tensor.is_floating_point() and not bool(torch.isfinite(tensor).all())
    ]
    if bad:
        raise CheckpointError(
            f"{path} holds weights that are not finite numbers, in {shorten(bad)}",
            "Its training diverged; train again with a smaller learning rate.",
        )


def describe(content: Mapping[str, Any], limit: int = 12) -> str:
    """Keys of a checkpoint with shapes, for a message: ``fc.bias (139,), vocab_size = 139``."""
    return shorten(list(_describe(content)), limit) or "nothing"


def shorten(items: list[str], limit: int = 8) -> str:
    """The first ``limit`` items in one line, and how many more there are."""
    rest = len(items) - limit
    return ", ".join(items[:limit]) + (f" and {rest} more" if rest > 0 else "")


def _describe(content: Mapping[str, Any], prefix: str = "") -> Iterator[str]:
    import torch

    for key, value in content.items():
        name = f"{prefix}{str(key)[:80]}"
        if isinstance(value, torch.Tensor):
            yield f"{name} {tuple(value.shape)}"
        elif isinstance(value, Mapping) and not prefix:
            yield from _describe(value, f"{name}: ")
        elif isinstance(value, (bool, int, float)):
            yield f"{name} = {value}"
        else:
            yield f"{name} ({type(value).__name__})"


def _looks_like_safetensors(head: bytes, size: int) -> bool:
    """Eight bytes of header length, then the header, a JSON object."""
    return len(head) > 8 and head[8:9] == b"{" and int.from_bytes(head[:8], "little") <= size - 8


def _check_archive(path: Path) -> None:
    """Refuse zip files that are no checkpoint or unpack to too much, before torch sees them."""
    try:
        with zipfile.ZipFile(path) as archive:
            members = archive.infolist()
    except (zipfile.BadZipFile, OSError, ValueError, NotImplementedError, UnicodeError) as error:
        raise CheckpointError(
            f"{path} is a damaged zip archive: {str(error).rstrip('.') or 'it cannot be listed'}",
            "It was probably cut short when it was written or copied.",
        ) from error
    names = {member.filename.partition("/")[2] for member in members}
    if "constants.pkl" in names:
        # torch 1.13 would run such a file through torch.jit.load in spite of weights_only.
        raise CheckpointError(
            f"{path} is a TorchScript archive, not a checkpoint",
            "Save the model's weights instead: torch.save(model.state_dict(), FILE).",
        )
    if "data.pkl" not in names:
        raise CheckpointError(f"{path} is a zip archive, but not a PyTorch checkpoint")
    pickled = sum(m.file_size for m in members if m.filename.endswith("data.pkl"))
    if sum(m.file_size for m in members) > MAX_BYTES or pickled > _MAX_PICKLE_BYTES:
        raise CheckpointError(f"{path} unpacks to more than checkpoints are allowed to have")


def _read_pickle(path: Path) -> dict[str, Any]:
    import pickle
    import warnings

    import torch

    from logexport.scalars import numpy_scalars

    try:
        with warnings.catch_warnings(), numpy_scalars():
            warnings.simplefilter("ignore")  # torch's own deprecations of its storage classes
            content = torch.load(str(path), map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        raise _refusal(path, str(error)) from error
    except Exception as error:
        # What a damaged pickle raises is anything: KeyError, EOFError, RuntimeError, TypeError, ...
        raise CheckpointError(
            f"{path} is damaged or not a PyTorch checkpoint ({type(error).__name__})",
            "It was probably cut short when it was written or copied.",
        ) from error
    if not isinstance(content, dict):
        raise CheckpointError(
            f"{path} holds one {type(content).__name__} where a dict of weights is expected"
        )
    return {str(key): value for key, value in content.items()}


def _refusal(path: Path, reason: str) -> CheckpointError:
    """Why the safe reader stopped. Its messages name the operation or class it would not take."""
    import torch

    if re.search(r"Unsupported operand 71\b", reason):  # BINFLOAT
        return CheckpointError(
            f"{path} holds Python floats, which torch {torch.__version__} does not read safely",
            "Use torch 2.0 or later, or convert it there: keep only the state dict.",
        )
    if "EOF" in reason:
        return CheckpointError(f"{path} is cut short")
    match = re.search(r"(?:Unsupported (?:global: GLOBAL|class)) ([\w.]+)", reason)
    match = match or re.search(r"GLOBAL ([\w.]+)", reason)
    what = f": {match.group(1)}" if match else ""
    return CheckpointError(
        f"{path} is damaged, or needs Python objects to be run, which a checkpoint must not{what}",
        _CONVERT,
    )


def _read_safetensors(path: Path) -> dict[str, Any]:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(str(path), framework="pt", device="cpu") as file:
            names = list(file.keys())
            tensors = {name: file.get_tensor(name) for name in names}
            metadata = file.metadata() or {}
    except (SafetensorError, OSError, MemoryError) as error:
        raise CheckpointError(f"{path} is not a valid safetensors file: {error}") from error
    except (AttributeError, TypeError) as error:  # a number format that this torch does not have
        raise CheckpointError(f"{path} holds numbers that this torch cannot read") from error
    text = metadata.get("settings")
    settings = {} if text is None else _json_object(path, text)
    return {**settings, "state_dict": tensors}


def _json_object(path: Path, text: str) -> dict[str, Any]:
    try:
        if len(text) > _MAX_SETTINGS_CHARS:
            raise ValueError("too long")
        settings = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise CheckpointError(f"{path} holds settings that are not JSON") from error
    if not isinstance(settings, dict):
        raise CheckpointError(f"{path} holds settings that are no JSON object")
    return settings


def _json_text(settings: Mapping[str, Any]) -> str:
    return json.dumps(settings, ensure_ascii=False, sort_keys=True, allow_nan=False)


def _check_tensors(path: Path, content: Mapping[str, Any]) -> None:
    """Dense, on the CPU, of ordinary numbers, and together within the bound.

    A stored view can claim any size (stride 0), so the claimed sizes are what is added up.
    """
    import torch

    total = 0
    for name, tensor in _tensors(content):
        plain = (
            tensor.layout == torch.strided
            and tensor.device.type == "cpu"
            and not tensor.is_quantized
            and not tensor.is_complex()
        )
        if not plain:
            raise CheckpointError(
                f"{path}: {name} is a {tensor.layout} {tensor.dtype} tensor on "
                f"{tensor.device.type}, not a dense one of real numbers"
            )
        total += math.prod(tensor.shape) * tensor.element_size()
    if total > MAX_BYTES:
        raise CheckpointError(
            f"{path} declares tensors of {total:,} bytes; more than {MAX_BYTES:,} are refused"
        )


def _tensors(value: Any, name: str = "", depth: int = 0) -> Iterator[tuple[str, torch.Tensor]]:
    import torch

    if isinstance(value, torch.Tensor):
        yield name or "the content", value
    elif depth < 16 and isinstance(value, Mapping):
        for key, item in value.items():
            yield from _tensors(item, f"{name}.{key}" if name else str(key), depth + 1)
    elif depth < 16 and isinstance(value, (list, tuple)):
        for index, item in enumerate(value):
            yield from _tensors(item, f"{name}[{index}]", depth + 1)
