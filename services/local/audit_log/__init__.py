"""`idmesh audit`: verify, copy, prove and search the audit log."""

from services.local.audit_log.commands import command

__all__ = ["command"]
