"""Owns the stand-in for login.microsoftonline.com and Microsoft Graph v1.0: `Sandbox(path).wsgi`.
Never imports anything of the product that talks to it."""

from provision.sandbox.app import PERMISSIONS, Sandbox
from provision.sandbox.faults import Fault, Faults
from provision.sandbox.wire import LostAnswer

__all__ = ["PERMISSIONS", "Fault", "Faults", "LostAnswer", "Sandbox"]
