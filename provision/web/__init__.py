"""How people reach us: parse, call one service, render. Nothing is decided here."""
