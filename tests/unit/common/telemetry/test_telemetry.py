from __future__ import annotations

import asyncio
import json
import logging
import re
import urllib.request
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from services.common import telemetry
from services.common.config import ConfigError, TelemetryConfig
from services.common.telemetry import instruments
from services.common.telemetry.context import accepted_correlation_id
from services.common.telemetry.redaction import REDACTED

LICENCE = "x7" * 25
PSUT = "3" * 36


def _lines(capsys: pytest.CaptureFixture[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in capsys.readouterr().err.splitlines()]


@pytest.fixture(autouse=True)
def _as_before() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    configured = structlog.get_config()
    # Meshes that ran earlier in this process have set their own level.
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.INFO))
    yield
    root.handlers, logging.raiseExceptions = handlers, True
    root.setLevel(level)
    logging.captureWarnings(False)
    structlog.configure(**configured)


@pytest.mark.parametrize(
    "key",
    ["uin", "UIN", "vid", "name", "fullName", "template", "probe_template", "otp", "api_key",
     "licence", "licenseKey", "partner-licence", "psut", "individualId", "apiKey", "secret_id"],
)  # fmt: skip
def test_a_value_under_a_telling_key_is_dropped(key: str) -> None:
    assert telemetry.redact({key: "abc"}) == {key: REDACTED}
    assert telemetry.redact({"of": {key: "abc"}}) == {"of": {key: REDACTED}}


@pytest.mark.parametrize("key", ["service", "method", "rid", "fencing_token", "filename"])
def test_a_value_under_a_harmless_key_is_kept(key: str) -> None:
    assert telemetry.redact({key: "abc"}) == {key: "abc"}


@pytest.mark.parametrize(
    "text",
    ["1234567890", "123456789012", "1234567890123456", "1234-5678-9012", "1234 5678 9012 3456",
     LICENCE, PSUT, "eyJhbGciOi.eyJzdWIi.c2ln", "hvs.CAESIJ", "uin=123456789012,"],
)  # fmt: skip
def test_what_looks_like_an_identifier_or_a_key_is_taken_out_of_text(text: str) -> None:
    scrubbed = telemetry.scrub(f"failed for {text} today")
    assert text.strip("uin=,") not in scrubbed
    assert scrubbed.startswith("failed for ")
    assert scrubbed.endswith(" today")


@pytest.mark.parametrize("text", ["10001100770000320251122103200", "123456789", "a" * 64, "18.4"])
def test_registration_ids_digests_and_small_numbers_stay_readable(text: str) -> None:
    assert telemetry.scrub(text) == text


def test_numbers_bytes_and_objects_do_not_slip_through() -> None:
    entry = {"a": 123456789012, "b": b"123", "c": object(), "d": [1, 123456789012], "e": 12}
    assert telemetry.redact(entry) == {
        "a": REDACTED, "b": "<bytes>", "c": "<object>", "d": [1, REDACTED], "e": 12,
    }  # fmt: skip


def test_a_log_line_is_json_with_the_correlation_id(capsys: pytest.CaptureFixture[str]) -> None:
    log = telemetry.get_logger("x")
    with telemetry.correlated("0123456789abcdef0123456789abcdef"):
        log.info("vid_revoked", vid="1234567890123456", count=2)
    log.info("other")
    first, second = _lines(capsys)
    assert first["event"] == "vid_revoked"
    assert (first["vid"], first["count"], first["component"]) == (REDACTED, 2, "x")
    assert first["correlation_id"] == "0123456789abcdef0123456789abcdef"
    assert "correlation_id" not in second


def test_an_exception_is_told_by_type_and_place_only(capsys: pytest.CaptureFixture[str]) -> None:
    try:
        try:
            dict[str, str]()["hunter2"]
        except KeyError as error:
            raise ValueError("hunter2") from error
    except ValueError:
        telemetry.get_logger("x").exception("it_broke")
    told = _lines(capsys)[0]
    assert told["error"]["type"] == "builtins.ValueError"
    assert told["error"]["causes"][0]["type"] == "builtins.KeyError"
    assert "test_telemetry.py" in told["error"]["frames"][0]
    assert "hunter2" not in json.dumps(told)


def test_an_exception_that_causes_itself_is_told_once() -> None:
    error = ValueError()
    error.__cause__ = error
    assert "causes" not in telemetry.describe(error)


def test_a_librarys_log_comes_out_in_the_same_form(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logs("info", "core")
    try:
        int("hunter2")
    except ValueError:
        logging.getLogger("lib").exception("no row for %s", "123456789012")
    logging.getLogger("lib").debug("quiet")
    told = _lines(capsys)
    assert len(told) == 1
    assert (told[0]["component"], told[0]["process"]) == ("lib", "core")
    assert told[0]["event"] == f"no row for {REDACTED}"
    assert "hunter2" not in json.dumps(told)


def test_the_level_is_kept(capsys: pytest.CaptureFixture[str]) -> None:
    telemetry.configure_logs("warning", "core")
    log = telemetry.get_logger("x")
    log.info("quiet")
    log.warning("loud")
    assert [line["event"] for line in _lines(capsys)] == ["loud"]


@pytest.mark.parametrize(
    "offered",
    ["0123456789abcdef0123456789abcdef", "6f9619ff-8b86-d011-b42d-00c04fc964ff", "batch-42-a"],
)
def test_a_plain_correlation_id_is_kept(offered: str) -> None:
    assert accepted_correlation_id(offered) == offered


@pytest.mark.parametrize(
    "offered", [None, "", "short", "x" * 65, "with space here", "1234567890", "uin-123456789012"]
)
def test_any_other_correlation_id_is_replaced(offered: str | None) -> None:
    made = accepted_correlation_id(offered)
    assert re.fullmatch(r"[0-9a-f]{32}", made)
    assert made != accepted_correlation_id(offered)


async def test_the_correlation_id_follows_a_task() -> None:
    async def ask() -> str:
        return telemetry.correlation_id()

    with telemetry.correlated("outer-id-1"):
        assert await asyncio.create_task(ask()) == "outer-id-1"
    assert await ask() == ""


def test_metrics_can_be_scraped_and_the_endpoint_closes() -> None:
    reader, port, close = instruments._prometheus("127.0.0.1:0")
    url = f"http://127.0.0.1:{port}/metrics"
    with urllib.request.urlopen(url, timeout=5) as answer:
        assert b"process_cpu_seconds_total" in answer.read()
    close()
    reader.shutdown()
    with pytest.raises(OSError, match="refused"):
        urllib.request.urlopen(url, timeout=5)


@pytest.mark.parametrize("listen", ["9464", "host:port", "203.0.113.1:9464"])
def test_an_address_that_cannot_be_listened_on_is_a_configuration_error(listen: str) -> None:
    with pytest.raises(ConfigError, match="metrics_listen"):
        instruments.setup(TelemetryConfig(metrics_listen=listen), "core")
