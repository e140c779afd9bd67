"""`idmesh keys`: which versions of keys are in use, rotation, and the retirement of old ones.

Vault is told as its key custodian, who can use no key; what needs which version is asked of the
services, as the operator at the keyboard. See docs/security/rotation.md.
"""
