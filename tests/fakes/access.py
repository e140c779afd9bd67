"""Operators in memory."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime

from services.access.domain.operator import Operator, Secret


class FakeOperators:
    def __init__(self) -> None:
        self._operators: dict[str, Operator] = {}
        self.refusals: list[str] = []
        self.tokens: list[str] = []

    async def put(self, operator: Operator) -> None:
        self._operators[operator.operator_id] = operator

    async def get(self, operator_id: str) -> Operator | None:
        return self._operators.get(operator_id)

    async def count_wrong_secret(
        self, operator_id: str, *, allowed: int, locked_until: datetime
    ) -> None:
        operator = self._operators[operator_id]
        wrong = operator.wrong_secrets + 1
        locked = wrong > allowed
        self._operators[operator_id] = replace(
            operator,
            wrong_secrets=0 if locked else wrong,
            locked_until=locked_until if locked else operator.locked_until,
        )
        self.refusals.append("OPERATOR_LOCKED" if locked else "SECRET_WRONG")

    async def renew_secret(self, operator_id: str, old: Secret, new: Secret) -> None:
        operator = self._operators[operator_id]
        if operator.secret == old:
            self._operators[operator_id] = replace(operator, secret=new)

    async def token_issued(self, operator_id: str, token_id: str) -> None:
        operator = self._operators[operator_id]
        self._operators[operator_id] = replace(operator, wrong_secrets=0, locked_until=None)
        self.tokens.append(token_id)

    async def token_refused(self, operator_id: str, reason: str) -> None:
        self.refusals.append(reason)
