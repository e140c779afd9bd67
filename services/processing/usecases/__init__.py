"""The stages of a flow, the worker that runs them, and what operators do."""
