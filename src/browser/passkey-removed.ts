import type { AuthenticationMethod } from './api.ts';

/** Tells the browser that a passkey no longer signs in (WebAuthn Level 3, section 5.1.10.1). */
export type PasskeyRemoved = (rpId: string, credentialId: string) => void;

/**
 * Makes the memory of which passkey is whose credential. An answer of the API shows `key_id`, taken
 * for the credential's id (UNCONFIRMED at Auth0), and the relying party; a removal names neither.
 */
export const createPasskeyRemovals = (tell: PasskeyRemoved) => {
  const seen = new Map<string, readonly [rpId: string, credentialId: string]>();
  const saw = (method: AuthenticationMethod): void => {
    if (method.type === 'passkey' && method.relying_party_id !== undefined)
      seen.set(method.id, [method.relying_party_id, method.key_id]);
  };
  return {
    /** Told of each method, or list of them, that the API answered. */
    saw(answer: AuthenticationMethod | { authentication_methods: AuthenticationMethod[] }): void {
      if ('authentication_methods' in answer) answer.authentication_methods.forEach(saw);
      else saw(answer);
    },
    /** Told that a method was removed. */
    removed(id: string): void {
      const credential = seen.get(id);
      if (credential === undefined) return;
      seen.delete(id);
      tell(...credential);
    },
  };
};
