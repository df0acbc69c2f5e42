"""Pickled checkpoints are refused: loading one runs whatever code its author put into it."""

from __future__ import annotations

from pathlib import PurePosixPath

from layergrid.sources.source import SourceError

PICKLE_SUFFIXES = frozenset({".bin", ".pt", ".pth", ".ckpt", ".pkl", ".pickle"})


def is_pickle(name: str) -> bool:
    """Whether a file name has one of the suffixes that stand for pickled checkpoints."""
    return PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES


def pickle_refusal(path: str) -> SourceError:
    """The error for a pickled checkpoint, with the one line that converts it safely.

    ``weights_only=True`` makes torch refuse every pickle that would do more than build tensors.
    """
    target = str(PurePosixPath(path).with_suffix(".safetensors"))
    convert = (
        "import torch, safetensors.torch as st; "
        f"d = torch.load({path!r}, map_location='cpu', weights_only=True); d = d.get('state_dict', d); "
        "st.save_file({k: v.clone().contiguous() for k, v in d.items() if hasattr(v, 'dtype')}, "
        f"{target!r})"
    )
    return SourceError(
        f"{path} is a pickle, which can run any code when loaded, so layergrid never opens it. "
        f"Convert it once, safely:\n{convert}"
    )
