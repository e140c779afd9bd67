"""What the mesh knows about its own field.

Owns centres, machines, the certificates that machines seal packets for, and identity schemas.
Serves MasterdataService: look-ups as of an instant, and the few changes an operator makes.
Stores every version of a centre and a machine with the instant from which it holds. Puts nothing
but audit records on its feed; follows nobody.
"""
