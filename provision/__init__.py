"""provision: self-hosted provisioning of Microsoft 365 that shows, explains and can take back what it does."""

__version__ = "0.1.0"
