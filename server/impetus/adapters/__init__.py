"""One outside thing per module, behind a port of `impetus.domain.ports`; foreign errors end here."""
