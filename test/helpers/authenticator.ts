import { createHash, generateKeyPairSync, randomBytes, sign, type KeyObject } from 'node:crypto';

/** A software authenticator for tests: makes passkeys and signs in with them as WebAuthn Level 3 says, without a browser. */
export interface Authenticator {
  /** navigator.credentials.create(): the credential as JSON; `attestation: 'self'` signs the statement with the new key. */
  create(
    options: CreationOptions,
    origin: string,
    choice?: { attestation?: 'none' | 'self' | 'forged' },
  ): CreatedCredential;
  /** navigator.credentials.get(): the assertion of the newest passkey for this relying party. */
  get(options: { challenge: string; rpId: string }, origin: string): AssertedCredential;
}

/** The part of the creation options an authenticator needs. */
export interface CreationOptions {
  challenge: string;
  rp: { id?: string };
  user: { id: string };
}

/** What a page sends to finish an enrolment. */
interface CreatedCredential {
  id: string;
  rawId: string;
  type: 'public-key';
  clientExtensionResults: Record<string, never>;
  response: { attestationObject: string; clientDataJSON: string; transports: string[] };
}

/** What a page sends to sign in. */
interface AssertedCredential {
  id: string;
  rawId: string;
  type: 'public-key';
  clientExtensionResults: Record<string, never>;
  response: {
    authenticatorData: string;
    clientDataJSON: string;
    signature: string;
    userHandle: string;
  };
}

interface Passkey {
  id: Buffer;
  rpId: string;
  userHandle: string;
  key: KeyObject;
  counter: number;
}

const sha256 = (data: string | Buffer): Buffer => createHash('sha256').update(data).digest();
const base64url = (data: Buffer): string => data.toString('base64url');

/** Makes an authenticator without any passkeys. */
export function createAuthenticator(): Authenticator {
  const passkeys: Passkey[] = [];
  return {
    create({ challenge, rp, user }, origin, { attestation = 'none' } = {}) {
      const rpId = rp.id ?? new URL(origin).hostname;
      const { privateKey, publicKey } = generateKeyPairSync('ec', { namedCurve: 'P-256' });
      const passkey = {
        id: randomBytes(16),
        rpId,
        userHandle: user.id,
        key: privateKey,
        counter: 0,
      };
      const { x = '', y = '' } = publicKey.export({ format: 'jwk' });
      const coseKey = cborMap([
        [cborInt(1), cborInt(2)],
        [cborInt(3), cborInt(-7)],
        [cborInt(-1), cborInt(1)],
        [cborInt(-2), cborBytes(Buffer.from(x, 'base64url'))],
        [cborInt(-3), cborBytes(Buffer.from(y, 'base64url'))],
      ]);
      const length = Buffer.alloc(2);
      length.writeUInt16BE(passkey.id.length);
      const authData = Buffer.concat([
        authenticatorData(rpId, 0x45, 0),
        Buffer.alloc(16),
        length,
        passkey.id,
        coseKey,
      ]);
      const clientDataJSON = clientData('webauthn.create', challenge, origin);
      passkeys.push(passkey);
      return {
        id: base64url(passkey.id),
        rawId: base64url(passkey.id),
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          attestationObject: base64url(
            statement(attestation, authData, clientDataJSON, privateKey),
          ),
          clientDataJSON: base64url(clientDataJSON),
          transports: ['internal'],
        },
      };
    },
    get({ challenge, rpId }, origin) {
      const passkey = passkeys.findLast((one) => one.rpId === rpId);
      if (!passkey) throw new Error(`No passkey for ${rpId}.`);
      passkey.counter += 1;
      const authData = authenticatorData(rpId, 0x05, passkey.counter);
      const clientDataJSON = clientData('webauthn.get', challenge, origin);
      return {
        id: base64url(passkey.id),
        rawId: base64url(passkey.id),
        type: 'public-key',
        clientExtensionResults: {},
        response: {
          authenticatorData: base64url(authData),
          clientDataJSON: base64url(clientDataJSON),
          signature: base64url(
            sign('sha256', Buffer.concat([authData, sha256(clientDataJSON)]), passkey.key),
          ),
          userHandle: passkey.userHandle,
        },
      };
    },
  };
}

const clientData = (type: string, challenge: string, origin: string): Buffer =>
  Buffer.from(JSON.stringify({ type, challenge, origin, crossOrigin: false }));

function authenticatorData(rpId: string, flags: number, counter: number): Buffer {
  const tail = Buffer.alloc(5);
  tail.writeUInt8(flags);
  tail.writeUInt32BE(counter, 1);
  return Buffer.concat([sha256(rpId), tail]);
}

function statement(
  attestation: 'none' | 'self' | 'forged',
  authData: Buffer,
  clientDataJSON: Buffer,
  key: KeyObject,
): Buffer {
  const signature = sign(
    'sha256',
    Buffer.concat([authData, sha256(attestation === 'forged' ? 'something else' : clientDataJSON)]),
    key,
  );
  const none = attestation === 'none';
  return cborMap([
    [cborText('fmt'), cborText(none ? 'none' : 'packed')],
    [
      cborText('attStmt'),
      none
        ? cborMap([])
        : cborMap([
            [cborText('alg'), cborInt(-7)],
            [cborText('sig'), cborBytes(signature)],
          ]),
    ],
    [cborText('authData'), cborBytes(authData)],
  ]);
}

/** CBOR heads (RFC 8949 section 3) for the few lengths that occur here. */
function cborHead(major: number, value: number): Buffer {
  if (value < 24) return Buffer.from([(major << 5) | value]);
  return value < 256
    ? Buffer.from([(major << 5) | 24, value])
    : Buffer.from([(major << 5) | 25, value >> 8, value & 255]);
}
const cborInt = (value: number): Buffer =>
  value < 0 ? cborHead(1, -1 - value) : cborHead(0, value);
const cborBytes = (value: Buffer): Buffer => Buffer.concat([cborHead(2, value.length), value]);
const cborText = (value: string): Buffer =>
  Buffer.concat([cborHead(3, Buffer.byteLength(value)), Buffer.from(value)]);
const cborMap = (entries: [Buffer, Buffer][]): Buffer =>
  Buffer.concat([cborHead(5, entries.length), ...entries.flat()]);
