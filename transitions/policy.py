"""The policy: every number and every list that assessment goes by, with the defaults of DOMAIN. One frozen value, no options elsewhere."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta

from transitions.areas import Areas
from transitions.codes import CodeSet, Vocabulary, matcher

COORDINATOR = "coordinator"
"""Reserved: no agency may be called so."""

MENTAL_ILLNESS = CodeSet(
    icd10=("F20-F99",),
    icd9=("295-302", "306-319"),
    words=(
        *("psychosis", "psychoses", "psychotic", "psychiatric", "schizo*", "delusion*", "hallucinat*", "catatoni*", "parano*"),
        *("depress*", "dysthymi*", "bipolar", "mania", "manic", "hypomani*", "mood disorder", "affective disorder", "borderline personality"),
        *("personality disorder", "anxiety", "panic", "phobi*", "agoraphobi*", "obsessive", "ptsd", "posttraumatic stress", "post traumatic stress"),
        *("adjustment disorder", "acute stress reaction", "stress disorder", "dissociat*", "conversion disorder", "somatoform", "anorexia nervosa"),
        *(
            "bulimi*",
            "eating disorder",
            "adhd",
            "autis*",
            "conduct disorder",
            "mental illness",
            "mental disorder",
            "mental health",
            "behavioral health",
        ),
        *("behavioural health", "nervous breakdown"),
    ),
    not_words=(
        *("respiratory depression", "st depression", "st segment depression", "marrow depression", "myocardial depression", "cns depression"),
        *("depressed skull", "depressed fracture", "depression of skull", "phobic esotropia"),
    ),
)

SELF_HARM = CodeSet(
    icd10=("T14.91", "X60-X84"),  # ICD-10-CM has X71-X83 of it; WHO's ICD-10 all
    icd9=("E950-E959",),
    intentional=("T36-T65", "T71"),
    words=(
        *("suicide attempt*", "attempted suicide", "suicidal behavior*", "suicidal behaviour*", "self harm*", "self inflicted", "self injur*"),
        *("self poisoning", "self mutilat*", "parasuicid*", "intentional overdose"),
    ),
)

SUICIDAL_IDEATION = CodeSet(icd10=("R45.851",), icd9=("V62.84",), words=("suicid*",))

SUBSTANCE_USE = CodeSet(
    icd10=("F10-F19",),
    icd9=("291-292", "303-305"),
    words=(
        *("alcohol*", "opioid*", "opiate*", "heroin", "fentanyl", "cocaine", "methamphetamine*", "cannabis", "substance use", "substance abuse"),
        *("substance dependence", "drug use", "drug abuse", "drug dependence", "addiction"),
    ),
)

SCHIZOPHRENIA = CodeSet(
    icd10=("F20-F29",), icd9=("295", "297-298"), words=("schizo*", "psychosis", "psychoses", "psychotic disorder", "delusional disorder")
)

HOMELESSNESS = CodeSet(icd10=("Z59.0",), icd9=("V60.0",), words=("homeless*", "no fixed abode", "unhoused", "lives on the street"))

OTHER_MENTAL = CodeSet(icd10=("F00-F19",), icd9=("290-294", "303-305"))
"""Organic and substance-related disorders: no sign of mental illness by DOMAIN's set, and no proof that a stay was not psychiatric either."""

MEASURED = CodeSet(
    icd10=("F20-F25", "F28-F34", "F39-F43", "F44.89", "F53", "F60", "F63", "F68", "F84", "F90-F94"),
    icd9=("295-299", "300-301", "308-309", "311-314"),
    words=MENTAL_ILLNESS.words,
    not_words=MENTAL_ILLNESS.not_words,
)
"""Principal diagnoses that the follow-up measure counts: our own set, near that of the licensed one (DOMAIN, "Follow-up that counts")."""

MENTAL_HEALTH_SERVICE_WORDS = (
    *("psych", "psychiatr*", "psycholog*", "psychotherap*", "psychosocial", "mental health", "mental illness", "behavioral health"),
    *("behavioural health", "behavioral medicine", "counseling", "counselling", "counselor", "counsellor", "medication management"),
    *("partial hospitalization", "partial hospitalisation", "intensive outpatient", "assertive community treatment", "crisis intervention"),
    *("electroconvulsive", "long acting injection", "cognitive behavioral", "cognitive behavioural", "peer support", "collaborative care"),
    *("licensed clinical social worker", "lcsw", "lmft", "pmhnp", "telepsychiatr*"),
)

OTHER_SERVICE_WORDS = (
    *("dent", "dental", "dentist*", "orthodont*", "oral surgery", "orthop*", "fracture clinic", "podiatr*", "physiotherap*", "physical therapy"),
    *("occupational therapy", "speech therapy", "radiolog*", "radiation", "x ray", "xray", "mri", "ct scan", "ultrasound", "mammogra*", "imaging"),
    *("cardiolog*", "echocardiogra*", "dermatolog*", "ophthalmolog*", "optometr*", "eye clinic", "audiolog*", "otolaryngolog*", "ent", "oncolog*"),
    *("chemotherapy", "hematolog*", "haematolog*", "urolog*", "nephrolog*", "dialysis", "gastroenterolog*", "colonoscop*", "endoscop*"),
    *("endocrinolog*", "diabet*", "pulmonolog*", "sleep study", "rheumatolog*", "obstetric*", "gynecolog*", "gynaecolog*", "prenatal", "antenatal"),
    *("mammography", "surgery", "surgical", "wound care", "laboratory", "blood draw", "phlebotomy", "vaccin*", "immunization", "immunisation"),
    *("allergy clinic", "pain clinic", "nutrition", "dietitian", "dietician"),
)

_TAXONOMY, _SNOMED = "http://nucc.org/provider-taxonomy", "http://snomed.info/sct"
_PLACES = "https://www.cms.gov/Medicare/Coding/place-of-service-codes"
MENTAL_HEALTH_SERVICE_CODES = (
    *((_TAXONOMY, code) for code in ("2084P", "103", "101Y", "1041C", "106H", "261QM08", "363LP0808", "364SP08")),
    *((_SNOMED, code) for code in ("394587001", "394913002", "408467006", "394588006")),
    *((_PLACES, code) for code in ("52", "53", "56")),
)
"""(system, beginning of the code) of services, places and specialties that are mental health care. Facts of NUCC, SNOMED CT and CMS."""


@dataclass(frozen=True, slots=True)
class Agency:
    """A community agency and whom it serves. A postal code pattern is a whole code or a beginning with "*" ("627*"); a payer is a word of its name.

    One that states neither postal codes nor counties serves clients of its ages, payers or languages wherever they live; one that states nothing is
    chosen by no rule, and has the clients whom a referral, a relationship or a person sends to it.
    """

    id: str
    name: str = ""
    postal_codes: tuple[str, ...] = ()
    counties: tuple[str, ...] = ()
    ages: tuple[int | None, int | None] = (None, None)  # youngest and oldest, in years on the day that the transition came into view
    payers: tuple[str, ...] = ()
    languages: tuple[str, ...] = ()

    @property
    def is_anywhere(self) -> bool:
        """Whether it serves clients wherever they live, chosen by what they are."""
        has_area = self.postal_codes or self.counties
        return not has_area and bool(self.payers or self.languages or self.ages != (None, None))


@dataclass(frozen=True, slots=True)
class Policy:
    """The rules' numbers and lists. Hours are elapsed time, days are the facility's calendar days after the day of discharge."""

    agencies: tuple[Agency, ...] = ()
    court_agency: str = ""  # who takes clients discharged to court or jail; "": whoever the other rules name
    pick_up: timedelta = timedelta(hours=24)
    first_contact: timedelta = timedelta(hours=72)
    visit_days: int = 7
    measure_days: int = 30
    anticipation_days: int = 3
    typical_stay_days: int | None = None  # None: no discharge is expected by length alone; how long stays usually last differs too much by hospital
    longest_stay_days: int = 60  # after so long a stay without a word of its discharge is a question to the hospital's feed
    hold: timedelta = timedelta(hours=24)
    outcome: timedelta = timedelta(hours=24)
    attempts: int = 3
    attempt_days: int = 3
    attempt_means: int = 2
    short_stay_days: int = 7
    readmission_days: int = 30
    outpatient_days: int = 183  # "6 months"
    appointment_minutes: int = 60  # of an appointment whose end nobody says
    mental_illness: CodeSet = MENTAL_ILLNESS
    self_harm: CodeSet = SELF_HARM
    suicidal_ideation: CodeSet = SUICIDAL_IDEATION
    substance_use: CodeSet = SUBSTANCE_USE
    schizophrenia: CodeSet = SCHIZOPHRENIA
    homelessness: CodeSet = HOMELESSNESS
    other_mental: CodeSet = OTHER_MENTAL
    measured: CodeSet = MEASURED
    measure_suicidal_ideation: bool = False  # whether the measure counts R45.851 as it does self-harm
    mental_health_service_words: tuple[str, ...] = MENTAL_HEALTH_SERVICE_WORDS
    other_service_words: tuple[str, ...] = OTHER_SERVICE_WORDS
    mental_health_service_codes: tuple[tuple[str, str], ...] = MENTAL_HEALTH_SERVICE_CODES
    suicide_risk: str = "93374-7"  # LOINC: the C-SSRS screener's risk, in words
    suicide_risk_items: tuple[str, ...] = ("93249-1", "93250-9", "93269-9")  # LOINC: intent, plan, behaviour in three months; "yes" is high risk
    by_id: Mapping[str, Agency] = field(init=False, repr=False, compare=False)
    areas: Areas = field(init=False, repr=False, compare=False)
    vocabulary: Vocabulary = field(init=False, repr=False, compare=False)
    is_mental_health_service: Callable[[str], bool] = field(init=False, repr=False, compare=False)
    is_other_service: Callable[[str], bool] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        sets = {
            "mental-illness": self.mental_illness,
            "self-harm": self.self_harm,
            "suicidal-ideation": self.suicidal_ideation,
            "substance-use": self.substance_use,
            "schizophrenia": self.schizophrenia,
            "homelessness": self.homelessness,
            "other-mental": self.other_mental,
            "measured": self.measured,
        }
        patterns = [(agency.id, pattern) for agency in self.agencies for pattern in agency.postal_codes]
        counties = [(agency.id, county) for agency in self.agencies for county in agency.counties]
        object.__setattr__(self, "by_id", {agency.id: agency for agency in self.agencies})
        object.__setattr__(self, "areas", Areas(patterns, counties, [agency.id for agency in self.agencies if agency.is_anywhere]))
        object.__setattr__(self, "vocabulary", Vocabulary(sets))
        object.__setattr__(self, "is_mental_health_service", matcher(self.mental_health_service_words))
        object.__setattr__(self, "is_other_service", matcher(self.other_service_words))


def validate(policy: Policy) -> tuple[str, ...]:
    """What is wrong with the policy, each in a sentence; empty when it is sound."""
    return tuple(_problems(policy))


def _problems(policy: Policy) -> Iterator[str]:
    for name in ("pick_up", "first_contact", "hold", "outcome"):
        if getattr(policy, name) <= timedelta():
            yield f"{name} must be longer than nothing."
    if policy.typical_stay_days is not None and policy.typical_stay_days < 1:
        yield "typical_stay_days must be 1 or more, or left out."
    for name in ("visit_days", "longest_stay_days", "attempts", "attempt_days", "attempt_means", "appointment_minutes"):
        if getattr(policy, name) < 1:
            yield f"{name} must be 1 or more."
    for name in ("anticipation_days", "short_stay_days", "readmission_days", "outpatient_days"):
        if getattr(policy, name) < 0:
            yield f"{name} must not be negative."
    if policy.measure_days < policy.visit_days:
        yield "measure_days must not be fewer than visit_days."
    if policy.attempt_days > policy.attempts or policy.attempt_means > policy.attempts:
        yield "attempts must not be fewer than the days and the means that they must cover."
    names = [agency.id for agency in policy.agencies]
    for name in sorted({name for name in names if names.count(name) > 1}):
        yield f'Two agencies have the id "{name}".'
    for agency in policy.agencies:
        if not re.fullmatch(r"[A-Za-z0-9.-]{1,64}", agency.id):
            yield f'"{agency.id}" is no agency id: letters, digits, "-" and "." only, 64 at most.'
        if agency.id == COORDINATOR:
            yield f'"{COORDINATOR}" is reserved for the coordinator\'s queue.'
        youngest, oldest = agency.ages
        if youngest is not None and oldest is not None and youngest > oldest:
            yield f"{agency.id} takes nobody: its youngest is older than its oldest."
        for pattern in agency.postal_codes:
            if not pattern.strip() or "*" in pattern.strip()[:-1]:
                yield f'"{pattern}" of {agency.id} is no postal code pattern: a code, or its beginning and "*".'
    if policy.court_agency and policy.court_agency not in names:
        yield f'court_agency "{policy.court_agency}" is none of the agencies.'
