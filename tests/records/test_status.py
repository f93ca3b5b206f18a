"""What the ends of trials mean is said once."""

from __future__ import annotations

import json

from ganbench import Status


def named(attribute: str) -> set[str]:
    return {status.value for status in Status if getattr(status, attribute)}


def test_ends_mean_what_the_documents_say():
    assert named("ended_badly") == {"failed", "diverged", "timeout"}
    assert named("lacks_result") == {"failed", "diverged", "timeout", "unfinished"}
    assert named("is_failure") == {"failed", "diverged", "timeout", "incompatible"}
    assert named("is_final") == {"ok", "diverged", "incompatible"}


def test_status_is_its_text():
    assert Status.OK == "ok"
    assert f"{Status.FAILED}, {Status.OK!s}" == "failed, ok"
    assert {"ok": 1}[Status.OK] == 1
    assert json.dumps({Status.OK: Status.FAILED}) == '{"ok": "failed"}'
