"""The exception that becomes an item of a response's `errors`."""

from services.common.mosip_wire.catalogue import IdaError


class WireError(Exception):
    """A partner's request is refused, in MOSIP's vocabulary.

    Args:
        error: which one.
        arguments: for the `%s` of the templates, in order: names of fields, seconds, factors.
            Never a value that the partner or the individual sent.
        attribute: MOSIP appends ". Attribute: <name>" to some messages.
    """

    def __init__(self, error: IdaError, *arguments: object, attribute: str | None = None) -> None:
        self.error = error
        self.arguments = tuple(str(argument) for argument in arguments)
        self.attribute = attribute
        super().__init__(f"{error.code} {self.message}")

    @property
    def code(self) -> str:
        """MOSIP's errorCode."""
        return self.error.code

    @property
    def message(self) -> str:
        """MOSIP's errorMessage, arguments filled in."""
        text = _fill(self.error.message, self.arguments)
        return text if self.attribute is None else f"{text}. Attribute: {self.attribute}"

    @property
    def action(self) -> str | None:
        """MOSIP's actionMessage, arguments filled in; None where there is none."""
        template = self.error.action
        return None if template is None else _fill(template, self.arguments)

    def to_json(self) -> dict[str, str]:
        """Return the item of `errors`; actionMessage only where MOSIP has one."""
        item = {"errorCode": self.code, "errorMessage": self.message}
        if self.action is not None:
            item["actionMessage"] = self.action
        return item


def _fill(template: str, arguments: tuple[str, ...]) -> str:
    parts = template.split("%s")
    filled = [parts[0]]
    for index, part in enumerate(parts[1:]):
        filled.append(arguments[index] if index < len(arguments) else "")
        filled.append(part)
    return "".join(filled)


def missing(name: str) -> WireError:
    """Return IDA-MLC-006 for the field name."""
    return WireError(IdaError.MISSING_INPUT_PARAMETER, name)


def invalid(name: str) -> WireError:
    """Return IDA-MLC-009 for the field name."""
    return WireError(IdaError.INVALID_INPUT_PARAMETER, name)
