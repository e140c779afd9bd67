"""Configuration of the abis service."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from services.abis.domain.candidate import (
    DEFAULT_CANDIDATE_FPIR,
    DEFAULT_MATCH_FPIR,
    DEFAULT_VERIFY_FMR,
)
from services.abis.domain.partition import FRONT, MOST_PARTITIONS
from services.common.config import PostgresConfig, ServiceConfig, VaultConfig
from services.common.objects import ObjectsConfig

_DAY_S = 86_400.0


@dataclass(frozen=True, kw_only=True)
class ShareKey:
    """The Vault key that opens a data share, such as core/transit/abis-share, and its version."""

    key: str
    version: int = 1


@dataclass(frozen=True, kw_only=True)
class ShareLoginConfig:
    """How abis proves itself to the data share: as a client of MOSIP's authmanager.

    Attributes:
        url: of its operation authenticate/clientidsecretkey.
        secret_file: holds the client's secret.
    """

    url: str
    client_id: str
    secret_file: str
    app_id: str = "regproc"


@dataclass(frozen=True, kw_only=True)
class DataShareConfig:
    """Where the biometrics of MOSIP's messages come from.

    Attributes:
        allowed: prefixes of the addresses that may be asked; none: messages cannot insert.
        max_bytes: of one document.
        timeout_s: for one document.
        ca_file: what its certificate is verified by; empty: the system's authorities.
        keys: by the SHA-256 of the certificate that a share is sealed for, in hex.
        login: for a share that wants to know who asks.
    """

    allowed: tuple[str, ...] = ()
    max_bytes: int = 32 * 1024 * 1024
    timeout_s: float = 10.0
    ca_file: str = ""
    keys: Mapping[str, ShareKey] = field(default_factory=dict)
    login: ShareLoginConfig | None = None

    def __post_init__(self) -> None:
        if not all(each.startswith(("http://", "https://")) for each in self.allowed):
            raise ValueError("allowed must be addresses of http or https")
        if self.max_bytes < 1 or self.timeout_s <= 0:
            raise ValueError("max_bytes and timeout_s must be more than 0")


@dataclass(frozen=True, kw_only=True)
class PartitionsConfig:
    """How the references are spread over processes.

    Every process has the same count. Each one answers for all of them: it searches its own
    partition and asks its peers for theirs, and says UNAVAILABLE unless all have answered.

    Attributes:
        count: of the partitions; fixed.
        number: of this process's, from 0 on; -1: it holds none and only asks (a front).
        peers: gRPC targets of the others' processes, by number: {"1": "dns:///abis-1:7006"}.
        limit_s: for a question that comes without a deadline.
        retry_s: how long a partition that is away or behind is asked again before that is said.
    """

    count: int = 1
    number: int = 0
    peers: Mapping[str, str] = field(default_factory=dict)
    limit_s: float = 25.0
    retry_s: float = 10.0

    def __post_init__(self) -> None:
        if not 1 <= self.count <= MOST_PARTITIONS or not FRONT <= self.number < self.count:
            raise ValueError(f"count must be 1 to {MOST_PARTITIONS}, number below it or {FRONT}")
        others = {str(number) for number in range(self.count) if number != self.number}
        if set(self.peers) != others:
            raise ValueError("peers must name the partitions of all other processes")
        if self.limit_s <= 0 or self.retry_s < 0:
            raise ValueError("limit_s must be above 0, retry_s at least 0")


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """What abis needs.

    Attributes:
        objects: where snapshots are kept; without, every start reads all references.
        search_threads: threads of the matcher that one search uses, 0 for one a core.
        concurrent_searches: lots of searches that run at once; others wait.
        waiting_searches: that may wait; more are sent away.
        gallery_wait_s: how long a search waits for the galleries to hold what it asks for.
        gallery_bytes: memory of all references; inserts beyond it are refused. 0: no limit.
        candidate_fpir: non-mated candidates per search of the whole gallery.
        match_fpir: non-mated matches per search.
        verify_fmr: non-mated pairs that pass 1:1.
        snapshot_s: a snapshot is taken so often where anything changed.
        snapshot_changes: and earlier after so many changes.
        request_s: how long the answer to a request id is kept.
        partitions: which references this process holds, and who holds the others.
        hide_memory: from other processes of the same user, debuggers included.
        data_share: where MOSIP's messages may point to.
        message_s: how long one of MOSIP's messages may take.
        message_kept_s: how long a message is known when it is sent again.
    """

    vault: VaultConfig
    postgres: PostgresConfig
    objects: ObjectsConfig | None = None
    search_threads: int = 0
    concurrent_searches: int = 2
    waiting_searches: int = 1024
    gallery_wait_s: float = 2.0
    gallery_bytes: int = 0
    candidate_fpir: float = DEFAULT_CANDIDATE_FPIR
    match_fpir: float = DEFAULT_MATCH_FPIR
    verify_fmr: float = DEFAULT_VERIFY_FMR
    snapshot_s: float = 900.0
    snapshot_changes: int = 4096
    request_s: float = _DAY_S
    partitions: PartitionsConfig = field(default_factory=PartitionsConfig)
    hide_memory: bool = True
    data_share: DataShareConfig = field(default_factory=DataShareConfig)
    message_s: float = 25.0
    message_kept_s: float = 7 * 86_400.0

    def __post_init__(self) -> None:
        if self.search_threads < 0 or min(self.concurrent_searches, self.waiting_searches) < 1:
            raise ValueError("search_threads must be at least 0, the searches at least 1")
        if min(self.gallery_wait_s, self.gallery_bytes) < 0:
            raise ValueError("gallery_wait_s and gallery_bytes must be at least 0")
        if not all(
            0 < rate <= 1 for rate in (self.candidate_fpir, self.match_fpir, self.verify_fmr)
        ):
            raise ValueError("candidate_fpir, match_fpir and verify_fmr must lie in (0, 1]")
        if min(self.snapshot_s, self.request_s) <= 0 or self.snapshot_changes < 1:
            raise ValueError("snapshot_s, snapshot_changes and request_s must be above 0")
