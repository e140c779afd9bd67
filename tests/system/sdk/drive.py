"""Runs MOSIP's SDK in its own environment: a command a line on stdin, an answer a line on stdout.

    .venv-sdk/bin/python drive.py authenticator-config.toml

A command is {"call": "auth" | "kyc" | "genotp", "arguments": {...}} with the SDK's own argument
names; demographic_data holds the fields of its model. The answer is {"status", "body",
"signature", "identity"}; identity is what the SDK decrypted, of an eKYC that was granted.
Imports nothing of ours.
"""

import json
import os
import sys
from typing import Any

from dynaconf import Dynaconf  # type: ignore[import-not-found]
from mosip_auth_sdk import MOSIPAuthenticator  # type: ignore[import-not-found]
from mosip_auth_sdk.models import DemographicsModel  # type: ignore[import-not-found]


def main() -> None:
    """Serve until stdin ends."""
    # The SDK logs to stdout.
    answers = os.fdopen(os.dup(sys.stdout.fileno()), "w", buffering=1)
    sys.stdout = sys.stderr
    config = Dynaconf(settings_files=[sys.argv[1]], environments=False)
    authenticator = MOSIPAuthenticator(config=config)
    for line in sys.stdin:
        command = json.loads(line)
        answers.write(json.dumps(serve(authenticator, command)) + "\n")


def serve(authenticator: Any, command: dict[str, Any]) -> dict[str, Any]:
    """Make one call."""
    arguments = command["arguments"]
    if "demographic_data" in arguments:
        arguments["demographic_data"] = DemographicsModel(**arguments["demographic_data"])
    response = getattr(authenticator, command["call"])(**arguments)
    body = response.json()
    given = body.get("response") or {}
    granted = command["call"] == "kyc" and given.get("kycStatus") and not body.get("errors")
    return {
        "status": response.status_code,
        "body": body,
        "signature": response.headers.get("response-signature"),
        "identity": authenticator.decrypt_response(body) if granted else None,
    }


if __name__ == "__main__":
    main()
