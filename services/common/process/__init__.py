"""One process: loads its file, builds its services, serves, and stops without losing work."""

from services.common.process.host import VAULT_LOGIN_REFUSED, main, run
from services.common.process.secrecy import hide_memory
from services.common.process.service import Background, Built, Service

__all__ = ["VAULT_LOGIN_REFUSED", "Background", "Built", "Service", "hide_memory", "main", "run"]
