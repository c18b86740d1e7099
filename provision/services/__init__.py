"""What we do: functions that take a Session first. They never commit and never speak HTTP to a browser."""
