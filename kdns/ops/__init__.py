"""Looking in from outside: health, readiness, metrics, logs. Gets values handed in."""
