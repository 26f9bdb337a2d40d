"""Is a package under a permissive license? Reads only what the package says of itself; unclear means no."""

import re

_PERMISSIVE = re.compile(
    r"(mit(-.*)?|expat|x11(-.*)?|(modified-|new-|revised-)?bsd(-?[0-4](-clause)?(-.*)?|-(like|style|clause))?|0bsd"
    r"|[234]-clause-bsd|apache(-?2(\.0)?)?|apache-license(-(version-)?2(\.0)?)?|apache-software(-license)?(-2(\.0)?)?"
    r"|isc|zlib|libpng|unlicense|public-domain|cc0(-1\.0)?|psf(-2\.0)?|python(-2\.0)?|boost(-1\.0)?|bsl-1\.0|blueoak-.*"
    r"|ncsa|php-3(\.01?)?|ruby-license-bsd|blessing|wtfpl|permissive|postgresql|hpnd|unicode(-.*)?)(-license)?"
)
_COPYLEFT = re.compile(
    r"\b(a?l?gpl|gnu|mpl|mozilla|epl|eclipse public|cddl|eupl|cecill|artistic|proprietary|sspl|busl)", re.I
)
_GRANTS = (
    "permission is hereby granted, free of charge",
    "redistribution and use in source and binary forms",
    "apache license",
    "permission to use, copy, modify, and/or distribute",
    "permission to use, copy, modify, and distribute",
)


def is_permissive(expression: str) -> bool:
    """Judge one license expression: of alternatives one must be permissive, of a conjunction every part."""
    expression = expression.strip().lower().replace("(", " ").replace(")", " ")
    if not expression:
        return False
    return any(
        all(_is_name(part) for part in re.split(r"\s+and\s+|\s*,\s*|\s*&\s*", alternative))
        for alternative in re.split(r"\s+or\s+|\s*/\s*|\s*\|\s*", expression)
    )


def pypi_is_permissive(metadata: str) -> bool:
    """Judge the METADATA file of a wheel: expression first, then classifiers, then the free-form field."""
    head = metadata.split("\n\n", 1)[0]
    fields = re.findall(r"^(License-Expression|Classifier|License): (.*)$", head, re.M)
    expressions = [value for key, value in fields if key == "License-Expression"]
    if expressions:
        return is_permissive(expressions[0])
    classifiers = [value for key, value in fields if key == "Classifier" and value.startswith("License ::")]
    names = [re.sub(r"\(.*\)", "", value.rsplit("::", 1)[1]) for value in classifiers]
    names = [name for name in names if name.strip() != "OSI Approved"]
    if names:
        return all(is_permissive(name) for name in names)
    return any(is_permissive(value) for key, value in fields if key == "License")


def debian_is_permissive(copyright_file: str) -> bool:
    """Judge debian/copyright: every upstream stanza, or in free text one known grant and no copyleft."""
    stanzas = re.split(r"\n\s*\n", copyright_file)
    licenses = []
    for stanza in stanzas:
        files = re.search(r"^Files:\s*((?:.*\n?)(?:[ \t]+.*\n?)*)", stanza, re.M)
        license_ = re.search(r"^License:\s*(.*)$", stanza, re.M)
        if files and license_ and not all(pattern.startswith("debian/") for pattern in files[1].split()):
            licenses.append(license_[1])
    if licenses:
        return all(is_permissive(name) for name in licenses)
    text = " ".join(copyright_file.lower().split())
    return any(grant in text for grant in _GRANTS) and not _COPYLEFT.search(text)


def _is_name(name: str) -> bool:
    name = re.sub(r"\b(the|license|licence|version)\b", " ", name.strip().strip('"'))
    name = re.sub(r"[\s~+]+", "-", name.strip()).strip("-")
    return bool(_PERMISSIVE.fullmatch(name)) and not _COPYLEFT.search(name)
