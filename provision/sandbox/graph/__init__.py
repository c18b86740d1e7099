"""Owns the stand-in for Microsoft Graph v1.0: resources, queries, rules and error bodies.
Never issues tokens; that is the sign-in side's affair."""
