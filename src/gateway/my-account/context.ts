import type { Session } from '../session/sessions.ts';
import type { AccessTokenResult } from '../tokens/access-token.ts';
import type { ResponseHeaders } from '../http/upstream-response.ts';

/** What a session may do, and its tokens for the My Account API. */
export interface Tokens {
  /** Whether Auth0 would not grant this scope at the last step-up: asking again would loop. */
  declined(session: Session, scope: string): boolean;
  /** Returns the scopes this session may use now, without a step-up; known without a call. */
  scopes(session: Session): readonly string[];
  /** Returns a token that is good now; one that lacks the scope may be widened on the way. */
  token(session: Session, scope: string): Promise<AccessTokenResult>;
  /**
   * Told when the API answered 401 to a token of this session: that token is not handed out again,
   * or a DPoP nonce is learned (RFC 9449 section 9).
   */
  rejected(session: Session, answer: { readonly headers: ResponseHeaders }): void;
}
