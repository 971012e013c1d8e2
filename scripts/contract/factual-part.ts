// What is copied from an Auth0 OpenAPI file into this repository: the facts a client or a server
// can be held against, and no prose.

/** Any JSON value. */
export type Json =
  string | number | boolean | null | readonly Json[] | { readonly [name: string]: Json };

type JsonObject = Readonly<Record<string, Json>>;

/** Keywords that are text for people, or a sample, or names for a code generator. */
const prose = new Set([
  'description',
  'summary',
  'title',
  'example',
  'examples',
  'externalDocs',
  'tags',
  '$comment',
]);
/**
 * Keywords whose members are named by the document: there a member called `title` is a property and
 * no heading.
 */
const named = new Set([
  'properties',
  'patternProperties',
  '$defs',
  'schemas',
  'responses',
  'headers',
  'parameters',
  'content',
  'securitySchemes',
  'requestBodies',
]);
/** Keywords whose value is data. */
const verbatim = new Set(['required', 'enum', 'const', 'default', 'security', 'dependentRequired']);

const isObject = (value: Json | undefined): value is JsonObject =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

const kept = (keyword: string): boolean =>
  !prose.has(keyword) && (!keyword.startsWith('x-') || keyword === 'x-release-lifecycle');

function facts(value: Json): Json {
  if (Array.isArray(value)) return value.map((each: Json) => facts(each));
  if (!isObject(value)) return value;
  return Object.fromEntries(
    Object.entries(value)
      .filter(([keyword]) => kept(keyword))
      .map(([keyword, member]) => {
        if (verbatim.has(keyword)) return [keyword, member];
        return [
          keyword,
          named.has(keyword) && isObject(member) ? eachFacts(member) : facts(member),
        ];
      }),
  );
}

const eachFacts = (members: JsonObject): JsonObject =>
  Object.fromEntries(Object.entries(members).map(([name, member]) => [name, facts(member)]));

/**
 * Returns the operations, parameters, bodies, statuses, headers, schemas, scopes and lifecycles of
 * an OpenAPI 3.1 document, in its order. Throws an Error for a document that is none. What was made
 * by it comes out of it unchanged.
 */
export function factualPart(document: unknown): JsonObject {
  const given = document as Json;
  if (!isObject(given) || !isObject(given['paths']) || !isObject(given['info'])) {
    throw new Error('This is no OpenAPI document: it has no paths or no info.');
  }
  const { openapi = '', info, paths, components = {} } = given;
  return {
    openapi,
    info: { title: info['title'] ?? '', version: info['version'] ?? '' },
    paths: eachFacts(paths),
    components: facts(components),
  };
}
