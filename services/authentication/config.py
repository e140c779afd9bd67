"""Configuration of the authentication service."""

from __future__ import annotations

from dataclasses import dataclass, field

from services.common.config import PostgresConfig, ServiceConfig, VaultConfig


@dataclass(frozen=True, kw_only=True)
class OtpConfig:
    """One-time passwords; see domain.otp.OtpRules."""

    length: int = 6
    ttl_s: int = 180
    max_failures: int = 5
    freeze_s: int = 1800
    max_requests: int = 10
    flood_window_s: int = 60


@dataclass(frozen=True, kw_only=True)
class Config(ServiceConfig):
    """Peers: identity, partner, notification."""

    vault: VaultConfig
    postgres: PostgresConfig
    # A request may be so old, and clocks so far apart, in seconds.
    request_age_s: int = 30
    clock_adjustment_s: int = 30
    # Between one biometric capture and the next, in seconds.
    capture_gap_s: int = 120
    # Of MOSIP's: Staging, Developer, Pre-Production, Production.
    environments: tuple[str, ...] = ("Staging", "Developer", "Pre-Production", "Production")
    # Empty: any.
    domain_uris: tuple[str, ...] = ()
    # MOSIP's bioType FMR beside Finger: a minutiae record instead of a picture.
    minutiae_allowed: bool = True
    uin_length: int = 12
    languages: tuple[str, ...] = ("eng", "fra", "ara", "hin", "kan", "tam", "spa")
    # Years; below it OTP and biometrics are refused.
    adult_from: int = 5
    # False matches of one finger with one finger, a proportion.
    fingerprint_max_fmr: float = 1e-4
    iris_min_similarity: float = 0.68
    face_min_similarity: float = 0.80
    matcher_threads: int = 2
    # For answers; zero: on the event loop, which is cheapest while there are few cores.
    signing_threads: int = 0
    response_certificate_s: int = 2_592_000
    envelope_certificate_s: int = 31_536_000
    # After a rotation partners may seal for the old certificate for so long.
    envelope_overlap_s: int = 2_592_000
    notification_timeout_s: float = 5.0
    otp: OtpConfig = field(default_factory=OtpConfig)
