"""Objects (packets, documents): write-once, durable before they are acknowledged."""

from services.common.objects.config import ObjectsConfig
from services.common.objects.store import ObjectStore
from services.common.objects.stored import Stored

__all__ = ["ObjectStore", "ObjectsConfig", "Stored"]
