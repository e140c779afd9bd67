"""The services of the mesh, what they share, and the command line."""
