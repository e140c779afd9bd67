"""Rotation: what a service keeps under Vault's keys, and bringing it under the newest version.

A service declares each column beside its store (`store/holdings.py`); what is no column
implements `Holding`. From the declarations come the counts that say which versions are needed,
and a background job that wraps anew or computes anew, in small lots, each change only where the
value is still the one that was read. What is left to do is in the data itself: a job that is
killed goes on where it was. See docs/security/rotation.md.
"""

from services.common.rotation.columns import Changed, Column, ColumnHolding, Form
from services.common.rotation.holdings import Holding, Remedy, VersionUse
from services.common.rotation.live import LiveMacs
from services.common.rotation.servicer import KeysServicer
from services.common.rotation.work import Pace, Rewrapper, Rewrapping

__all__ = [
    "Changed",
    "Column",
    "ColumnHolding",
    "Form",
    "Holding",
    "KeysServicer",
    "LiveMacs",
    "Pace",
    "Remedy",
    "Rewrapper",
    "Rewrapping",
    "VersionUse",
]
