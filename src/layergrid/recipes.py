"""A selection to the next tool's own format: the modules to adapt, quantize, skip or freeze."""

from __future__ import annotations

import difflib
import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from layergrid.names import Address, parse_names

# Ends of parameter names that are not part of the module's name.
_PARAMETER = re.compile(r"(.+)\.(?:weight|bias|kernel|qweight|qzeros|scales|g_idx)")
_ONE_NUMBER = re.compile(r"(\D*)(0|[1-9]\d*)(\D*)")
_GGUF_NAME = re.compile(r"(?:enc\.|dec\.)?blk\.\d+\..+")

# Component -> llama.cpp's word for it in the architectures that hold just these parts.
_GGUF_PARTS = {
    "attn.q": "attn_q",
    "attn.k": "attn_k",
    "attn.v": "attn_v",
    "attn.o": "attn_output",
    "attn.qkv": "attn_qkv",
    "attn.q_a": "attn_q_a",
    "attn.q_b": "attn_q_b",
    "attn.kv_a": "attn_kv_a_mqa",
    "attn.kv_b": "attn_kv_b",
    "attn.k_b": "attn_k_b",
    "attn.v_b": "attn_v_b",
    "mlp.up": "ffn_up",
    "mlp.gate": "ffn_gate",
    "mlp.down": "ffn_down",
    "moe.router": "ffn_gate_inp",
    "moe.shared_gate": "ffn_gate_inp_shexp",
    "ssm.in": "ssm_in",
    "ssm.out": "ssm_out",
    "ssm.x": "ssm_x",
    "ssm.dt": "ssm_dt",
}

# What convert_hf_to_gguf.py writes of one matrix; files that older ones have written hold it whole.
_GGUF_HALVES = {"attn_kv_b": ("attn_k_b", "attn_v_b")}

# What llama-quantize leaves as it is whatever it is told (`tensor_allows_quantization` of its src/llama-quant.cpp).
_GGUF_KEPT = re.compile(r".*(?<!weight)|.*(?:_norm|ffn_gate_inp|ffn_gate_inp_shexp)\.weight|.*ssm_conv1d.*")


@dataclass(frozen=True)
class _Selection:
    names: tuple[str, ...]
    """What was selected, as named there, without repeats."""

    others: frozenset[str]
    """What else there is, and must not be hit."""

    @property
    def modules(self) -> tuple[str, ...]:
        return tuple(dict.fromkeys(map(_module, self.names)))

    @property
    def other_modules(self) -> frozenset[str]:
        return frozenset(map(_module, self.others)) - set(self.modules)


def recipe(selection: Any, to: str, *, among: Iterable[str] | None = None, **options: Any) -> Any:
    """The selected modules, in the format of the tool that acts on them next.

    Parameters
    ----------
    selection : a `LayerGrid`, of which the selected cells are meant; a table with a column ``parameter``; or
        names of parameters or modules. A cell of a fused matrix, such as the q of q, k and v in one, stands for
        the whole of it
    to : one of

        - ``"names"``: the modules' names, as a list
        - ``"regex"``: one anchored pattern that matches exactly these names
        - ``"peft"``: keyword arguments of `peft.LoraConfig`; option ``rank``, an int, or a mapping from
          component to int
        - ``"freeze"``: a function that freezes the selection in a torch module and returns the names it froze
        - ``"llama.cpp"``: arguments of ``llama-quantize``; option ``type``, by default ``"q8_0"``. What it never
          quantizes, as biases, norms and routers, is refused
        - ``"gptqmodel"``: the ``dynamic`` of its `QuantizeConfig`; options are the settings for these
          modules, such as ``bits=8``; without any they are left unquantized
        - ``"llm-compressor"``: the ``ignore`` of its modifiers that quantize or prune weights
    among : all names there are, to be checked for names that a pattern hits by mistake; a grid knows its own

    Raises
    ------
    ValueError
        If nothing is selected, a selected cell has no parameter's name, the tool is unknown, or it cannot
        tell the selected from the others.

    References
    ----------
    The tools' own documentation of ``LoraConfig``, ``llama-quantize --tensor-type``,
    ``QuantizeConfig.dynamic`` and ``ignore``.
    """
    if to not in _WRITERS:
        close = difflib.get_close_matches(to, _WRITERS, n=1)
        hint = f"; did you mean {close[0]!r}?" if close else ""
        raise ValueError(f"unknown recipe {to!r}{hint} Known: {', '.join(_WRITERS)}")
    return _WRITERS[to](_read_selection(selection, among), **options)


# --- What is selected ------------------------------------------------------------------------------------


def _read_selection(selection: Any, among: Iterable[str] | None) -> _Selection:
    selected = getattr(selection, "selected", selection)
    cells = selected["parameter"] if hasattr(selected, "columns") else selected
    if isinstance(cells, str):
        raise TypeError(f"selection must be a grid, a table or a list of names, got the text {cells!r}")
    names = tuple(dict.fromkeys(_flat(cells)))
    if not names:
        raise ValueError("nothing is selected; click cells of the grid, or set grid.selection")
    if "" in names:
        raise ValueError(
            "a selected cell has no parameter's name; draw the grid from named data (a scan, or a mapping "
            "from parameter names to numbers), or pass the names themselves"
        )
    if among is None:
        among = _grid_names(selection)
    return _Selection(names, frozenset(name for name in among if name) - set(names))


def _flat(cells: Any) -> Iterable[str]:
    """The names in a column, an array or a list, of which an element may itself hold several."""
    for cell in cells.tolist() if hasattr(cells, "tolist") else cells:
        if isinstance(cell, str):
            yield cell
        elif isinstance(cell, Iterable):
            yield from _flat(cell)
        else:
            raise TypeError(f"names of parameters are text, got {cell!r} of type {type(cell).__name__}")


def _grid_names(selection: Any) -> Iterable[str]:
    """All parameter names a grid knows; none for anything else."""
    if not hasattr(selection, "selected"):
        return ()
    coordinates = getattr(selection.data, "coords", {})
    return _flat(coordinates["parameter"].values) if "parameter" in coordinates else ()


def _module(name: str) -> str:
    match = _PARAMETER.fullmatch(name)
    return match[1] if match else name


# --- One pattern for exactly these names -----------------------------------------------------------------


def _pattern(names: Sequence[str], others: Iterable[str]) -> str:
    """A pattern, without anchors, that matches all of `names` in full and nothing else."""
    by_length: dict[int, list[tuple[str, ...]]] = defaultdict(list)
    for name in names:
        words = tuple(name.split("."))
        by_length[len(words)].append(words)
    products = [product for rows in by_length.values() for product in _products(rows)]
    pattern = "|".join(r"\.".join(map(_one_of, product)) for product in products)
    pattern = f"(?:{pattern})" if len(products) > 1 else pattern
    matches = re.compile(pattern).fullmatch
    missed = [name for name in names if not matches(name)]
    hit = [name for name in others if matches(name)]
    if missed or hit:
        raise RuntimeError(f"the pattern {pattern} misses {missed[:3]} and hits {hit[:3]}; please report this")
    return pattern


def _products(rows: Iterable[tuple[str, ...]]) -> list[list[list[str]]]:
    """The rows as few products of columns: each product is a list of words for each column."""
    rows = list(dict.fromkeys(rows))
    columns = [list(dict.fromkeys(column)) for column in zip(*rows, strict=True)]
    size = 1
    for column in columns:
        size *= len(column)
    if size == len(rows):
        return [columns]
    best: list[tuple[list[str], frozenset[tuple[str, ...]]]] = []
    best_at = -1
    for at, column in enumerate(columns):
        if len(column) == 1:
            continue
        # Words of this column that go with the same rest are one product together.
        rests: dict[str, list[tuple[str, ...]]] = defaultdict(list)
        for row in rows:
            rests[row[at]].append((*row[:at], *row[at + 1 :]))
        alike: dict[frozenset[tuple[str, ...]], list[str]] = defaultdict(list)
        for word, remaining in rests.items():
            alike[frozenset(remaining)].append(word)
        if best_at < 0 or len(alike) < len(best):
            best, best_at = [(together, shared) for shared, together in alike.items()], at
    products = []
    for words, rest in best:
        ordered = [row for row in dict.fromkeys((*r[:best_at], *r[best_at + 1 :]) for r in rows) if row in rest]
        products += [[*product[:best_at], words, *product[best_at:]] for product in _products(ordered)]
    return products


def _one_of(words: Sequence[str]) -> str:
    """A pattern for one of the words; words that differ in one number only share a range of numbers."""
    numbers: dict[tuple[str, str], list[int]] = defaultdict(list)
    alternatives: list[str] = []
    for word in words:
        if match := _ONE_NUMBER.fullmatch(word):
            numbers[match[1], match[3]].append(int(match[2]))
        else:
            alternatives.append(_escape(word))
    for (before, after), values in numbers.items():
        alternatives.append(_escape(before) + _number_in(values) + _escape(after))
    return alternatives[0] if len(alternatives) == 1 else f"(?:{'|'.join(alternatives)})"


def _escape(text: str) -> str:
    # re.escape also escapes "-" and spaces, which hurts reading and which C++ patterns need not allow.
    return re.sub(r"[.^$*+?{}\[\]\\|()]", r"\\\g<0>", text)


def _number_in(values: Iterable[int]) -> str:
    """A pattern for exactly these numbers: ``[3-7]``, ``(?:[89]|1[0-2])``."""
    runs: list[list[int]] = []
    for value in sorted(set(values)):
        if runs and value == runs[-1][1] + 1:
            runs[-1][1] = value
        else:
            runs.append([value, value])
    parts = [part for low, high in runs for part in _range(low, high)]
    return parts[0] if len(parts) == 1 else f"(?:{'|'.join(parts)})"


def _range(low: int, high: int) -> list[str]:
    """Patterns that together match exactly the numbers from low to high."""
    parts = []
    while low <= high:
        # The largest block of 10^k numbers that starts here and ends in time, and how often it repeats.
        block = 1
        while low % (10 * block) == 0 and 10 * block <= low and low + 10 * block - 1 <= high:
            block *= 10
        last = low
        while last // block % 10 < 9 and last + 2 * block - 1 <= high:
            last += block
        head = str(low // (10 * block) or "")
        parts.append(head + _digits(low // block % 10, last // block % 10) + "[0-9]" * (len(str(block)) - 1))
        low = last + block
    return parts


def _digits(low: int, high: int) -> str:
    if low == high:
        return str(low)
    return f"[{low}{high}]" if high == low + 1 else f"[{low}-{high}]"


# --- One writer for each tool ----------------------------------------------------------------------------


def _names(selection: _Selection) -> list[str]:
    return list(selection.modules)


def _regex(selection: _Selection) -> str:
    return f"^{_pattern(selection.modules, selection.other_modules)}$"


def _peft(selection: _Selection, *, rank: int | Mapping[str, int] | None = None) -> dict[str, Any]:
    addresses = parse_names(dict.fromkeys(selection.names))
    bare = [name for name in selection.names if _is_bare_parameter(name, addresses[name])]
    modules = [name for name in selection.modules if name not in bare]
    config: dict[str, Any] = {}
    # PEFT holds a text against the whole of each module's name, and a list against the ends of them.
    if modules:
        config["target_modules"] = _pattern(modules, selection.other_modules)
    if bare:
        config["target_parameters"] = bare
    if isinstance(rank, Mapping):
        config["rank_pattern"] = _ranks(selection, rank)
    elif rank is not None:
        config["r"] = rank
    return config


def _is_bare_parameter(name: str, address: Address | None) -> bool:
    """Whether a parameter has no module of its own, as stacked experts have not."""
    return not _PARAMETER.fullmatch(name) and address is not None and address.expert == "*"


def _ranks(selection: _Selection, rank: Mapping[str, int]) -> dict[str, int]:
    by_component: dict[str, list[str]] = defaultdict(list)
    for name, address in parse_names(dict.fromkeys(selection.names)).items():
        by_component[address.component if address else ""].append(_module(name))
    if unknown := rank.keys() - by_component.keys():
        raise ValueError(f"rank names {sorted(unknown)}, but the selection has {sorted(by_component)}")
    return {
        _pattern(tuple(dict.fromkeys(modules)), selection.other_modules): rank[component]
        for component, modules in by_component.items()
        if component in rank
    }


def _freeze(selection: _Selection) -> Callable[[Any], list[str]]:
    names = frozenset(selection.names)

    def freeze(module: Any) -> list[str]:
        """Freeze the selected parameters of a torch module; the names of those it froze."""
        parameters = dict(module.named_parameters())
        modules = {name.rpartition(".")[0] for name in parameters}
        if missing := sorted(names - parameters.keys() - modules):
            close = difflib.get_close_matches(missing[0], parameters, n=1)
            hint = f"; did you mean {close[0]!r}?" if close else ""
            raise ValueError(f"the module has no parameter {missing[0]!r}{hint} ({len(missing)} missing in all)")
        frozen = [name for name in parameters if name in names or name.rpartition(".")[0] in names]
        for name in frozen:
            parameters[name].requires_grad_(False)
        return frozen

    return freeze


def _llama_cpp(selection: _Selection, *, type: str = "q8_0") -> list[str]:
    everything = (*selection.names, *sorted(selection.others))
    tensors = dict(zip(everything, _gguf_names(everything), strict=True))
    for name in selection.names:
        if not tensors[name]:
            raise ValueError(f"llama.cpp's name of {name!r} is not known; select tensors of the GGUF file itself")
        for tensor in tensors[name]:
            _check_heard(name, tensor)
    wanted = dict.fromkeys(tensor for name in selection.names for tensor in tensors[name])
    for name in selection.others:
        if shared := wanted.keys() & tensors[name]:
            raise ValueError(
                f"llama.cpp keeps {name!r} in the same tensor as a selected one, {min(shared)}; "
                "select all or none of it"
            )
    others = [tensor for name in selection.others for tensor in tensors[name]]
    return ["--tensor-type", f"^{_pattern(tuple(wanted), others)}$={type}"]


def _check_heard(name: str, tensor: str) -> None:
    """Refuse a tensor that llama-quantize would pass over without a word."""
    if _GGUF_KEPT.fullmatch(tensor):
        raise ValueError(
            f"llama-quantize never quantizes {name!r}, its {tensor}: it keeps biases, norms, routers and "
            "convolutions as they are; leave it out of the selection"
        )
    if tensor != tensor.lower() or "=" in tensor:
        raise ValueError(
            f"llama-quantize cannot be told of {tensor!r}: it takes patterns in lower case, up to the first '='"
        )


def _gguf_names(names: Iterable[str]) -> list[tuple[str, ...]]:
    """The tensors of a GGUF file that each parameter may be in; none where that is not known."""
    addresses = parse_names(dict.fromkeys(names))
    return [(name,) if _GGUF_NAME.fullmatch(name) else _gguf_tensors(address) for name, address in addresses.items()]


def _gguf_tensors(address: Address | None) -> tuple[str, ...]:
    if address is None or address.stack or address.component not in _GGUF_PARTS or address.layer is None:
        return ()
    # llama.cpp keeps the experts of a layer in one tensor.
    experts = {None: "", "shared": "_shexp"}.get(
        address.expert if not isinstance(address.expert, int) else "*", "_exps"
    )
    kind = "bias" if "bias" in address.flags else "weight"
    part = _GGUF_PARTS[address.component]
    return tuple(f"blk.{address.layer}.{piece}{experts}.{kind}" for piece in (part, *_GGUF_HALVES.get(part, ())))


def _gptqmodel(selection: _Selection, **settings: Any) -> dict[str, dict[str, Any]]:
    # GPTQModel and vLLM hold each rule against the begin of a module's whole name; the first that matches counts.
    return {f"{'+' if settings else '-'}:{_regex(selection)}": settings}


def _llm_compressor(selection: _Selection) -> list[str]:
    return [f"re:{_regex(selection)}"]


_WRITERS: dict[str, Callable[..., Any]] = {
    "names": _names,
    "regex": _regex,
    "peft": _peft,
    "freeze": _freeze,
    "llama.cpp": _llama_cpp,
    "gptqmodel": _gptqmodel,
    "llm-compressor": _llm_compressor,
}
