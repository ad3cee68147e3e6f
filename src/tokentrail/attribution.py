"""The attribution of usages: a context variable that `track_tokens` sets and calls read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextvars import ContextVar
from decimal import Decimal
from typing import TYPE_CHECKING, Final, NamedTuple

from tokentrail.money import EXACT, plain
from tokentrail.process.mutexes import Mutex

if TYPE_CHECKING:
    from opentelemetry.trace import Span

    from tokentrail.usage import Usage

__all__ = ["Attribution", "Cost", "Pricing", "Spent", "attribution", "named_budgets", "pricing"]

_RANK = {"unknown": 0, "estimated": 1, "reported": 2}

_adding = Mutex()
"""One lock for all totals."""


class Cost(NamedTuple):
    """What a usage costs. `state`: `priced`, `partly` (some tokens have no rate, or are not known), `unpriced`, `uncounted` (states no tokens)."""

    state: str
    currency: str = ""
    amount: Decimal | None = None


class Pricing:
    """How costs are computed in this process: `use_prices` says so, and nobody else."""

    cost_of: Callable[[Usage], Cost] | None = None


pricing = Pricing()


class Spent:
    """Running totals of the usages recorded inside a `track_tokens` block, nested blocks included.

    `input_tokens`, `output_tokens`, … are sums over the calls that stated the count, `calls` is the number of all calls, `source` the weakest source
    of any call (`"unknown"` before the first). A stream is added at its end, also after the block. Estimates, which are appended in the background,
    are not included, and a usage that is recorded twice under one idempotency key is added twice: only the ledger removes repeated records.

    `cost` and `costs` need prices in this process (`use_prices`), and know usages that are added afterwards. Calls that they do not know, or of which
    they know less than all, are counted by `unpriced_calls`.
    """

    __slots__ = (
        "_costs",
        "_rank",
        "cache_read_tokens",
        "cache_write_tokens",
        "calls",
        "input_tokens",
        "output_tokens",
        "reasoning_tokens",
        "unpriced_calls",
    )

    def __init__(self) -> None:
        self._rank = 3
        self._costs: dict[str, Decimal] | None = None
        self.unpriced_calls = 0
        self.calls = 0
        self.input_tokens = 0
        self.output_tokens = 0
        self.cache_read_tokens = 0
        self.cache_write_tokens = 0
        self.reasoning_tokens = 0

    @property
    def source(self) -> str:
        """The weakest source of any call in the block."""
        return ("unknown", "estimated", "reported", "unknown")[self._rank]

    @property
    def total_tokens(self) -> int:
        """The sum of input and output tokens."""
        return self.input_tokens + self.output_tokens

    @property
    def costs(self) -> Mapping[str, Decimal]:
        """The cost by currency (ISO 4217), of the calls that have a price."""
        return {currency: plain(amount) for currency, amount in (self._costs or {}).items()}

    @property
    def cost(self) -> Decimal | None:
        """The cost in `currency`. None where nothing has a price, and for prices in several currencies."""
        costs = self.costs
        return next(iter(costs.values())) if len(costs) == 1 else None

    @property
    def currency(self) -> str:
        """The currency of `cost`; empty where that is None."""
        costs = self.costs
        return next(iter(costs)) if len(costs) == 1 else ""

    def add(self, usage: Usage, cost: Cost | None = None) -> None:
        """Adds a usage to the totals, with its cost if there are prices in this process."""
        with _adding.lock:
            if cost is not None:
                if cost.amount is not None:
                    self._costs = self._costs or {}
                    self._costs[cost.currency] = EXACT.add(self._costs.get(cost.currency, Decimal(0)), cost.amount)
                if cost.state != "priced":
                    self.unpriced_calls += usage.calls
            self.calls += usage.calls
            self.input_tokens += usage.input_tokens or 0
            self.output_tokens += usage.output_tokens or 0
            self.cache_read_tokens += usage.cache_read_tokens or 0
            self.cache_write_tokens += usage.cache_write_tokens or 0
            self.reasoning_tokens += usage.reasoning_tokens or 0
            self._rank = min(self._rank, _RANK.get(usage.source, 0))

    def __repr__(self) -> str:
        return f"Spent(calls={self.calls}, input_tokens={self.input_tokens}, output_tokens={self.output_tokens}, source={self.source!r})"


class Attribution:
    """The values of a `track_tokens` block for the calls inside. Empty fields are inherited from the enclosing block."""

    __slots__ = ("budgets", "metadata", "metadata_cut", "operation", "operation_id", "parent", "span", "spent", "tenant_id")

    def __init__(
        self,
        *,
        tenant_id: str = "",
        operation: str = "",
        operation_id: str = "",
        metadata: str = "",
        metadata_cut: bool = False,
        budgets: Mapping[str, str] | None = None,
        parent: Attribution | None = None,
    ) -> None:
        self.parent: Attribution | None = parent
        self.spent = Spent()
        self.span: Span | None = None
        self.tenant_id: str = tenant_id or (parent.tenant_id if parent else "")
        self.operation: str = operation or (parent.operation if parent else "")
        self.operation_id: str = operation_id or (parent.operation_id if parent else "")
        self.metadata: str = metadata or (parent.metadata if parent else "")
        self.budgets: Mapping[str, str] | None = _both(parent.budgets, budgets) if parent else budgets
        """Names of budgets, and what is done where one is spent: `warn` or `raise`."""
        self.metadata_cut: bool = metadata_cut if metadata else parent is not None and parent.metadata_cut

    def add(self, usage: Usage) -> None:
        """Adds a usage to the totals of this block and of all enclosing blocks."""
        block: Attribution | None = self
        cost = None if pricing.cost_of is None else pricing.cost_of(usage)
        while block is not None:
            block.spent.add(usage, cost)
            block = block.parent


def _both(outer: Mapping[str, str] | None, inner: Mapping[str, str] | None) -> Mapping[str, str] | None:
    return {**outer, **inner} if outer and inner else outer or inner


attribution: ContextVar[Attribution | None] = ContextVar("tokentrail_attribution", default=None)
named_budgets: Final[set[str]] = set()
"""The budgets that blocks of this process name: while there are none, a call does not look for them."""
