"""Only what is clearly permissive may teach the embedder."""

import pytest

from training.static_embedder.licenses import debian_is_permissive, is_permissive, pypi_is_permissive


@pytest.mark.parametrize(
    "expression",
    [
        "MIT",
        "Apache-2.0",
        "Apache License 2.0",
        "BSD-3-Clause",
        "BSD",
        "ISC",
        "(MIT OR Apache-2.0)",
        "MIT AND BSD-2-Clause",
        "GPL-3.0 OR MIT",
        "MIT/Apache-2.0",
        "Expat",
        "MIT License",
    ],
)
def test_permissive(expression: str) -> None:
    assert is_permissive(expression)


@pytest.mark.parametrize(
    "expression",
    ["", "GPL-3.0", "LGPL-2.1+", "MIT AND GPL-2.0", "MPL-2.0", "SEE LICENSE IN LICENSE.md", "UNLICENSED", "BUSL-1.1"],
)
def test_not_permissive_or_not_clear(expression: str) -> None:
    assert not is_permissive(expression)


def test_the_expression_of_a_wheel_wins_over_its_classifiers() -> None:
    metadata = "Name: x\nLicense-Expression: GPL-3.0-only\nClassifier: License :: OSI Approved :: MIT License\n\nMIT"
    assert not pypi_is_permissive(metadata)


def test_every_license_classifier_must_be_permissive() -> None:
    both = "Classifier: License :: OSI Approved :: MIT License\nClassifier: License :: OSI Approved :: {}\n\n"
    assert pypi_is_permissive(both.format("Apache Software License"))
    assert not pypi_is_permissive(both.format("GNU General Public License v3 (GPLv3)"))


def test_a_description_is_not_a_license() -> None:
    assert not pypi_is_permissive("Name: x\n\nLicense: MIT\n")


MACHINE_READABLE = """Format: https://www.debian.org/doc/packaging-manuals/copyright-format/1.0/

Files: *
Copyright: 2020 Somebody
License: Expat

Files: debian/*
Copyright: 2021 Packager
License: GPL-2+
"""


def test_the_packaging_of_debian_may_be_under_another_license() -> None:
    assert debian_is_permissive(MACHINE_READABLE)


def test_one_upstream_stanza_under_copyleft_is_enough_to_refuse() -> None:
    assert not debian_is_permissive(MACHINE_READABLE.replace("debian/*", "src/list.c"))


def test_free_text_needs_a_known_grant_and_no_copyleft() -> None:
    grant = "Permission is hereby granted, free of\n charge, to any person"
    assert debian_is_permissive(grant)
    assert not debian_is_permissive(grant + "\nParts are under the GNU LGPL.")
    assert not debian_is_permissive("All rights reserved")
