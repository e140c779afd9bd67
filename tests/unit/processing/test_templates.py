"""Templates out of an applicant's document, of whatever minutiae format."""

from collections.abc import Callable

import pytest

from services.common.biometrics import (
    FingerMinutiaeRecord,
    FingerView,
    Minutia,
    write_ansi_378,
    write_fmr,
    write_fmr_2011,
)
from services.processing.domain.packet import Modality, PacketRefusedError
from services.processing.domain.templates import templates_of
from services.registration_client.applicant import Capture, cbeff_of

MINUTIAE = tuple(Minutia(10 * k, 400 - 10 * k, 5 * k, 1 + k % 2, 60) for k in range(1, 30))
RECORD = FingerMinutiaeRecord(500, 500, (FingerView(3, 70, MINUTIAE),), 197, 197)


@pytest.mark.parametrize("write", [write_fmr, write_fmr_2011, write_ansi_378])
def test_fingers_come_in_any_of_the_minutiae_formats(
    write: Callable[[FingerMinutiaeRecord], bytes],
) -> None:
    data = write(RECORD)
    [template] = templates_of(cbeff_of([Capture("finger", 3, data)]))
    assert (template.modality, template.position, template.data) == (Modality.FINGER, 3, data)


@pytest.mark.parametrize("write", [write_fmr, write_fmr_2011, write_ansi_378])
def test_a_record_cut_short_is_refused_before_anything_sees_it(
    write: Callable[[FingerMinutiaeRecord], bytes],
) -> None:
    with pytest.raises(PacketRefusedError) as refused:
        templates_of(cbeff_of([Capture("finger", 3, write(RECORD)[:-1])]))
    assert refused.value.reason == "TEMPLATE_MALFORMED"
