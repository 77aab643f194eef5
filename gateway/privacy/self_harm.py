"""Intentional self-harm whose means would tell of substance use: the harm is kept, the means goes. It decides how soon somebody must call."""

from __future__ import annotations

import re
from typing import Any

from gateway.privacy import scrub, sensitivity
from gateway.privacy.scrub import Withheld
from gateway.records.statements import Json

SELF_HARM = {"system": "http://hl7.org/fhir/sid/icd-10-cm", "code": "X83.8XXA", "text": "Intentional self-harm"}
"""What is said of intentional self-harm when its means would tell of substance use: true, less precise, and it must not be lost."""
_INTENTIONAL = re.compile(r"T(?:3[6-9]|4\d|5\d|6[0-5])[0-9A-Z]{2}2|T71[0-9A-Z]{2}2|T1491|X7[1-9]|X8[0-3]")
_SAID = re.compile(r"suicide attempt|attempted suicide|self[ -]harm|self[ -]inflicted|intentional overdose", re.IGNORECASE)


def is_self_harm(value: Any) -> bool:
    coded = any(_INTENTIONAL.match(code.replace(".", "").upper()) for _, code in sensitivity.codings(value))
    return coded or bool(_SAID.search(" ".join(scrub.strings(value))))


def kept(part: Json, withheld: Withheld) -> Json:
    if part["resourceType"] != "Condition" or not is_self_harm(part.get("code")) or not withheld.reveals(part):
        return part
    coded = {"coding": [{"system": SELF_HARM["system"], "code": SELF_HARM["code"]}], "text": SELF_HARM["text"]}
    bare = {key: value for key, value in scrub.without_free_text(part).items() if key not in ("evidence", "identifier", "extension")}
    return scrub.relabelled({**bare, "code": coded}, False, None, False)
