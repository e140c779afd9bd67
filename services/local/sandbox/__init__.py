"""The world around a mesh on one machine: a partner, its capture device, an operator.

The demo, the benches and the system tests talk to the mesh through these, over the same
wire as anybody else: REST with full request cryptography through Envoy, typed gRPC with
mutual TLS as the operator at the keyboard.
"""
