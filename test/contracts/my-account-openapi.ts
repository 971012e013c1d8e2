import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Ajv2020, type SchemaObject } from 'ajv/dist/2020.js';
import formats from 'ajv-formats';

/** An operation that the contract names, with the statuses it lists. */
export interface ContractOperation {
  method: string;
  path: string;
  statuses: number[];
}

/** What an answer is held against. */
export interface Contract {
  operations: ContractOperation[];
  /** The operation a path below /me/v1 belongs to. */
  operationOf(method: string, path: string): ContractOperation | undefined;
  /** Everything that is wrong with an answer: body, required headers, their form. An unlisted status is held against the error schema. */
  faults(
    operation: ContractOperation,
    answer: { status: number; headers: Headers; body: unknown },
  ): string[];
}

interface HeaderObject {
  $ref?: string;
  required?: boolean;
  schema?: SchemaObject;
}
interface ResponseObject {
  $ref?: string;
  headers?: Record<string, HeaderObject>;
  content?: Record<string, { schema: SchemaObject }>;
}
interface OperationObject {
  'x-release-lifecycle'?: string;
  responses: Record<string, ResponseObject>;
}

/** The part of an OpenAPI 3.1 document this test reads. */
export interface OpenApi {
  paths: Record<string, Record<string, OperationObject>>;
  components: {
    schemas: Record<string, SchemaObject>;
    responses: Record<string, ResponseObject>;
    headers: Record<string, HeaderObject>;
  };
}

const methods = ['get', 'post', 'put', 'patch', 'delete'];

/** Reads a file of facts of Auth0 that stands in this repository. */
export const readFacts = (name: string): OpenApi =>
  JSON.parse(readFileSync(join(import.meta.dirname, 'auth0', name), 'utf8')) as OpenApi;

/** The contract of Auth0's file as `npm run contract` copied it, and of the profile, which is published apart from it. */
export function loadContract(): Contract {
  const file = readFacts('my-account.json');
  const profile = readFacts('profile.json');
  return createContract({
    paths: { ...file.paths, ...profile.paths },
    components: {
      schemas: { ...profile.components.schemas, ...file.components.schemas },
      responses: { ...profile.components.responses, ...file.components.responses },
      headers: file.components.headers,
    },
  });
}

/** Makes a contract of a document. */
function createContract(document: OpenApi): Contract {
  const ajv = new Ajv2020({ strict: false, allErrors: true });
  formats.default(ajv);
  ajv.addSchema({ ...closed(document) }, 'contract');
  const operations = Object.entries(document.paths).flatMap(([path, item]) =>
    methods
      .filter((method) =>
        ['GA', 'EA', 'beta'].includes(item[method]?.['x-release-lifecycle'] ?? ''),
      )
      .map((method) => ({
        method: method.toUpperCase(),
        path,
        statuses: Object.keys(item[method]?.responses ?? {}).map(Number),
      })),
  );

  function responseOf(
    { method, path }: ContractOperation,
    status: number,
  ): { pointer: string; response: ResponseObject } | undefined {
    const listed = document.paths[path]?.[method.toLowerCase()]?.responses[String(status)];
    if (!listed) return undefined;
    const name = listed.$ref?.split('/').at(-1);
    const pointer =
      name === undefined
        ? `/paths/${escape(path)}/${method.toLowerCase()}/responses/${status}`
        : `/components/responses/${name}`;
    const response = name === undefined ? listed : document.components.responses[name];
    return response && { pointer, response };
  }

  function bodyFaults(schema: SchemaObject, body: unknown): string[] {
    const fits = ajv.compile(schema);
    return fits(body)
      ? []
      : (fits.errors ?? []).map(
          (error) =>
            `body${error.instancePath} ${error.message ?? ''} ${JSON.stringify(error.params)}`,
        );
  }

  function headerFaults(given: Headers, headers: Record<string, HeaderObject>): string[] {
    return Object.entries(headers).flatMap(([name, listed]) => {
      const header =
        listed.$ref === undefined
          ? listed
          : document.components.headers[listed.$ref.split('/').at(-1) ?? ''];
      const value = given.get(name);
      if (value === null) return header?.required ? [`header ${name} is missing`] : [];
      const typed = header?.schema?.['type'] === 'number' ? Number(value) : value;
      return ajv.validate(header?.schema ?? {}, typed)
        ? []
        : [`header ${name}: ${value} ${ajv.errorsText()}`];
    });
  }

  return {
    operations,
    operationOf: (method, path) =>
      operations.find(
        (one) =>
          one.method === method &&
          new RegExp(`^${one.path.replace(/\{[^}]+\}/g, '[^/]+')}$`).test(path),
      ),
    faults(operation, { status, headers, body }) {
      const found = responseOf(operation, status);
      if (!found)
        return status < 400
          ? [`status ${status} is not listed`]
          : bodyFaults({ $ref: 'contract#/components/schemas/ErrorResponse' }, body);
      const { pointer, response } = found;
      const faults = headerFaults(headers, response.headers ?? {});
      if (!response.content) return body === undefined ? faults : [...faults, 'there is a body'];
      if (!/^application\/json\b/.test(headers.get('content-type') ?? ''))
        faults.push(`content-type ${headers.get('content-type') ?? 'is missing'}`);
      return [
        ...faults,
        ...bodyFaults({ $ref: `contract#${pointer}/content/application~1json/schema` }, body),
      ];
    },
  };
}

const escape = (path: string): string =>
  path.replaceAll('~', '~0').replaceAll('/', '~1').replaceAll('{', '%7B').replaceAll('}', '%7D');

/** The document with every kind of method, connection answer and enrolment answer closed: a member the contract does not name is a leak. */
function closed(document: OpenApi): OpenApi {
  const schemas = { ...document.components.schemas };
  const leaves = Object.keys(schemas).filter((name) =>
    /^AuthenticationMethod(?!Base|MfaBase|WebAuthn$)\w+$/.test(name),
  );
  for (const name of [
    ...leaves,
    'Factor',
    'ConnectedAccount',
    'PublicKeyCredentialCreationOptions',
    'CreateAuthenticationMethodResponseContent',
  ]) {
    schemas[name] = { ...schemas[name], unevaluatedProperties: false };
  }
  return { ...document, components: { ...document.components, schemas } };
}
