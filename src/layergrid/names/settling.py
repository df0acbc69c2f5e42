"""A tensor's address while its siblings are still being asked, and the module it is in."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from layergrid.names.address import Address
from layergrid.names.reader import Reading

Shape = Sequence[int] | None


@dataclass(slots=True)
class Settling:
    """One tensor; its address is final once its siblings have been asked."""

    reading: Reading
    shape: Shape
    component: str
    expert: int | str | None
    flags: set[str]

    @classmethod
    def of(cls, reading: Reading, shape: Shape) -> Settling:
        """The tensor as far as its own name tells."""
        address = reading.address
        return cls(reading, shape, address.component, address.expert, set(address.flags))

    def address(self, stack: str) -> Address:
        """What has become of the address, in a stack of that name."""
        read = self.reading.address
        same = self.component == read.component and self.expert == read.expert and self.flags == read.flags
        if same and stack == read.stack:
            return read
        return Address(stack, read.layer, self.component, self.expert, frozenset(self.flags), read.part)

    @property
    def matrix(self) -> tuple[int, int] | None:
        """The last two dims of a plain weight matrix, or of each expert's; None for anything else."""
        if self.shape is None or len(self.shape) != (3 if self.expert == "*" else 2):
            return None
        if any(flag == "bias" or flag.startswith(("quant_", "lora_", "packed")) for flag in self.flags):
            return None
        return self.shape[-2], self.shape[-1]


# Where a module is in its layer, what place it is, and which expert it belongs to.
ModuleKey = tuple[tuple[str, ...], str, int | str | None]

# The parts of one module: what each is called there -> its tensors (weight, bias, companions).
Module = dict[str, list[Settling]]


def matrix_sizes(tensors: list[Settling]) -> tuple[int, int] | None:
    """Rows and columns of a part's matrix; None where it has none."""
    return next((tensor.matrix for tensor in tensors if tensor.matrix), None)
