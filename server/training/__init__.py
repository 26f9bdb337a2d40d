"""Programs that make the data the package ships; not part of the wheel."""
