"""The configuration: what config.yaml may say, checked once when the workflow is parsed.

Nothing that makes a result imports this package. Jobs are handed plain specs, so that a change in how the
configuration is checked makes no result stale.
"""
