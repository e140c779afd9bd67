"""Runs scripted cases of MOSIP's ABIS test kit over the JSON face, with biometrics of our own.

A case is a list of steps such as `insert(person5)` or
`identify_ref(person6_duplicate_2, person6).expect(candidateListCount, 1)`. Who is meant follows
from the name: `person6_duplicate_1` is person 6 in front of the sensors again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from aiohttp import web
from idmesh.abis.v1 import abis_service_pb2 as pb

from services.registration_client.applicant import Capture, cbeff_of
from services.synthetic import capture, make_person
from tests.fakes.abis_messages import a_message

_CALL = re.compile(r"(\w+)\(([^()]*)\)")
# Persons whose name says that there is nothing at their address.
_NOTHING = ("_unknown", "_without_cbeff", "_no_reference_id")
_FINGERS = (2, 3, 7)


def document_of(name: str) -> bytes | None:
    """Return what is served for a person of a case; None: nothing."""
    if name.endswith(_NOTHING):
        return None
    number, copy = re.fullmatch(r"person(\d+)(?:_duplicate_(\d+))?", name).groups()  # type: ignore[union-attr]
    # The second copy is the more like the first capture, so that the best one is known.
    noise = {None: 0.2, "1": 1.2, "2": 0.2}[copy]
    person = make_person(int(number))
    taken = capture(person, int(copy or 0) + 1, fingers=_FINGERS, irises=(1,), noise=noise)
    return cbeff_of(Capture(each.modality, each.position, each.data) for each in taken)


@dataclass
class Share:
    """A local data share: serves every person's document, and counts who asks."""

    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.Response:
        """Serve a document, or say in MOSIP's way that there is none."""
        name = request.match_info["name"]
        self.asked.append(name)
        document = document_of(name) if name else None
        if document is None:
            error = {"errorCode": "DAT-SER-006", "message": "Data share not found"}
            return web.json_response({"id": None, "response": None, "errors": [error]})
        return web.Response(body=document)

    def app(self) -> web.Application:
        """Return what serves it."""
        app = web.Application()
        app.router.add_get("/share/{name:.*}", self.answer)
        return app


@dataclass
class Runner:
    """Takes the steps of one case against one abis.

    Args:
        check: is given every answer, by the operation's name.
    """

    stub: Any
    share_url: str
    check: Callable[[str, Mapping[str, Any]], None]
    flags: Mapping[str, str] = field(default_factory=dict)

    async def run(self, steps: Sequence[str]) -> None:
        """Take the steps.

        Raises:
            AssertionError: an answer is not what a step expects.
        """
        for step in steps:
            (verb, arguments), *expected = _CALL.findall(step)
            names = [name.strip() for name in arguments.split(",") if name.strip()]
            answer = await self._ask(verb, names)
            told = {
                each[1].split(",")[0].strip(): each[1].split(",")[1].strip() for each in expected
            }
            if not {"returnValue", "!returnValue"} & told.keys():
                told["returnValue"] = "1"
            for name, value in told.items():
                _expect(step, answer, name, self._reference_id(value))

    def _reference_id(self, name: str) -> str:
        return str(uuid5(NAMESPACE_URL, name)) if name.startswith("person") else name

    async def _ask(self, verb: str, names: Sequence[str]) -> Mapping[str, Any]:
        operation = verb.split("_", maxsplit=1)[0]
        more: dict[str, Any] = {}
        if names:
            without = names[0].endswith("_no_reference_id")
            reference_id = "" if without else self._reference_id(names[0])
            url = self.share_url + ("" if without else names[0])
            if operation == "insert":
                more = {"referenceId": reference_id, "referenceURL": url}
            elif verb == "identify_url":
                more = {"referenceId": "", "referenceUrl": url}
            else:
                more = {"referenceId": reference_id}
        if operation == "identify":
            more["flags"] = {"maxResults": "10", "targetFPIR": "30", **self.flags}
            more.setdefault("referenceUrl", "")
            among = [{"referenceId": self._reference_id(name)} for name in names[1:]]
            more |= {"gallery": {"referenceIds": among}} if among else {}
        message = a_message(operation, **more)
        sent = pb.HandleMessageRequest(message=json.dumps(message).encode())
        answer: dict[str, Any] = json.loads((await self.stub.HandleMessage(sent)).message)
        assert (answer["id"], answer["requestId"]) == (message["id"], message["requestId"])
        self.check(operation, answer)
        return answer


def _expect(step: str, answer: Mapping[str, Any], name: str, value: str) -> None:
    if name == "candidateListCount":
        found = answer["candidateList"]["count"]
    elif name == "candidateReferenceId":
        found = answer["candidateList"]["candidates"][0]["referenceId"]
    else:
        found = answer.get(name.removeprefix("!"))
    assert (found != value) if name.startswith("!") else (found == value), (step, answer)
