"""Many messages at once, for limits: bounded, over one held connection."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import Any

from . import sip
from .observation import HaltError, Observation, Transcript
from .sip_client import Answer

MOST = 200


async def burst(arguments: dict[str, Any], sessions: sip.Sessions, transcript: Transcript) -> Observation:
    """Send `count` (at most 200) messages from `session` at once to `to`, or in turn to each of `targets`.

    Allowed when all were taken. `shown`: `status` of the first that was refused (else 200), `statuses` how
    many had each, `some_passed`, `unanswered`. All their Call-IDs are correlations.
    """
    agent, answer = await sessions.get(arguments["session"], arguments, transcript)
    if answer is not None and answer.final.status != 200:
        return sip.observed(answer)
    timeout = float(arguments.get("timeout", 10))
    targets = arguments.get("targets") or [arguments["to"]]
    count = min(int(arguments["count"]), MOST)
    quiet = Transcript()

    async def one(number: int) -> Answer | HaltError:
        try:
            text = f"{arguments['text']} {number}"
            return await agent.message(targets[number % len(targets)], text, quiet, timeout=timeout)
        except HaltError as halt:
            return halt

    answers = await asyncio.gather(*(one(number) for number in range(count)))
    finals = [a for a in answers if isinstance(a, Answer)]
    lost = [a for a in answers if isinstance(a, HaltError)]
    statuses = Counter(a.final.status for a in finals)
    refused = next((a for a in finals if a.final.status >= 300), None)
    transcript.add(f"{count} messages: {dict(sorted(statuses.items()))}, {len(lost)} without an answer")
    transcript.lines += quiet.lines[-2:]
    shown: dict[str, Any] = {
        "status": refused.final.status if refused else 200,
        "statuses": {str(status): number for status, number in sorted(statuses.items())},
        "some_passed": any(200 <= status < 300 for status in statuses),
        "unanswered": len(lost),
    }
    correlation = [a.call_id for a in finals] + [one for halt in lost for one in halt.correlation]
    if not finals:
        raise lost[0]
    allowed = refused is None and not lost
    return Observation("done" if allowed else "policy", allowed, shown, correlation)
