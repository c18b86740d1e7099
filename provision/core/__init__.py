"""What we know: judgements on plain values. Nothing here touches a network, a request or Flask."""
