import { Ajv2020, type ErrorObject, type SchemaObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';
import { Problem } from './problems.ts';

// Strict mode judges the style of a schema, not the data; the schemas here name members only inside
// branches.
const ajv = new Ajv2020({ strict: false });
formats.default(ajv, ['uri', 'email', 'date-time']);

/**
 * A check that hands fitting data back as what it is and throws `invalid_payload` with Ajv's
 * wording for the rest.
 */
export type Check<T> = (data: unknown, source?: 'query' | 'path') => T;

/** Makes the check of one schema, which the caller says describes `T`. */
export function createCheck<T>(schema: SchemaObject): Check<T> {
  const fits = ajv.compile<T>(schema);
  return (data: unknown, source?: string): T => {
    if (fits(data)) return data;
    throw new Problem('invalid_payload', {
      errors: (fits.errors ?? []).map((error) => describe(error, source)),
    });
  };
}

/**
 * `data/phone_number must match pattern …`, with the JSON pointer of the place: the two forms
 * Auth0's answers are known to have.
 */
function describe(error: ErrorObject, source: string | undefined) {
  const detail = `data${error.instancePath} ${error.message ?? 'is invalid'}`;
  return { detail, pointer: error.instancePath, ...(source ? { source } : {}) };
}
