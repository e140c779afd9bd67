"""Makes a Vault-compatible server equal to `keys.toml` and `policies/`, and keeps it so.

`changes` compares and mends, and may be run as often as one likes; `authorities` brings in what a
root kept offline has signed; `root` initialises a new server and obtains and revokes root tokens;
`minting` is what a supervisor does afterwards with its own narrow login. Synchronous: call it in
a thread from asyncio.
"""
