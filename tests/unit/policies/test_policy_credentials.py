"""What has the form of a credential is found wherever it stands, however quickly all other texts are passed over."""

from __future__ import annotations

import time

import pytest
from omnibase_policies.credentials import is_credential

_LONG = "0123456789abcdefghijABCDEFGHIJ0123456789"


@pytest.mark.parametrize(
    "form",
    [
        "-----BEGIN EC PRIVATE KEY-----", "-----BEGIN PRIVATE KEY-----", "AKIA0123456789ABCDEF", "ASIA0123456789ABCDEF",
        *(f"gh{kind}_{_LONG}" for kind in "pousr"), f"github_pat_{_LONG}", f"glpat-{_LONG}", f"AIza{_LONG}",
        *(f"xox{kind}-{_LONG}" for kind in "abprs"), f"eyJ{_LONG}.eyJ{_LONG}.", f"sk_live_{_LONG}", f"sk-{_LONG}",
        f"sk-proj-{_LONG}", f"sk-ant-{_LONG}", f"hvs.{_LONG}", f"Bearer {_LONG}", f"bearer {_LONG}",
        "https://somebody:hidden@example.test", "postgresql+psycopg://app:hidden@database:5432/shop",
    ],
)  # fmt: skip
def test_no_form_of_a_credential_is_passed_over(form: str) -> None:
    assert is_credential(form)
    assert is_credential(f"before it {form} after it")


def test_a_megabyte_of_plain_words_takes_no_time() -> None:
    text = "a word, another-word and some_more words; " * 25_000
    began = time.process_time()
    assert not is_credential(text)
    assert time.process_time() - began < 0.2, "trying each form everywhere needs more"
