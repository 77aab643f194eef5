"""A fast validator of FHIR R4 resources against R4 and the profiles of a package.

profiles = load()
for finding in profiles.check(resource, ["http://hl7.org/fhir/us/core/StructureDefinition/us-core-patient"]):
    print(finding.severity, finding.location, finding.rule, finding.text)
"""

from conformance.profiles.findings import Finding
from conformance.profiles.meaning import Presence
from conformance.profiles.profiles import Profiles, load

__all__ = ["Finding", "Presence", "Profiles", "load"]
