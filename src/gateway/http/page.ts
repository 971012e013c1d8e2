import type { Failure } from './errors.ts';

const escapes: Readonly<Record<string, string>> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

/** Text as HTML text or attribute value: nothing in it can become markup. */
export function escapeHtml(text: string): string {
  return text.replace(/[&<>"']/g, (character) => escapes[character] ?? '');
}

/** A path of this gateway: one slash, then no other slash or backslash, so that it cannot name another host. */
const ownPath = /^\/(?![/\\])[\x21-\x7e]*$/;

/**
 * What a person sees when a navigation fails: the title, the detail, the request id and one way on (the failure's `loginUrl`,
 * `retryUrl` or `returnTo`, the same address again where `again` names it, else the front page). No script, no inline style: the content security policy holds here as well.
 */
export function failurePage(failure: Failure, requestId?: string, again?: string): string {
  const login = failure.members['loginUrl'];
  const retry = failure.members['retryUrl'];
  const back = failure.members['returnTo'];
  const on =
    typeof login === 'string' && ownPath.test(login)
      ? { href: login, text: 'Sign in again' }
      : typeof retry === 'string' && ownPath.test(retry)
        ? { href: retry, text: 'Try again' }
        : typeof back === 'string' && ownPath.test(back)
          ? { href: back, text: 'Go back' }
          : again !== undefined && ownPath.test(again)
            ? { href: again, text: 'Try again' }
            : { href: '/', text: 'Back to the start' };
  return `<!doctype html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><meta name="color-scheme" content="light dark">
<title>${escapeHtml(failure.title)}</title></head>
<body><main>
<h1>${escapeHtml(failure.title)}</h1>
${failure.detail === undefined ? '' : `<p>${escapeHtml(failure.detail)}</p>\n`}<p><a href="${escapeHtml(on.href)}">${on.text}</a></p>
${requestId === undefined ? '' : `<p><small>Request ${escapeHtml(requestId)}</small></p>\n`}</main></body></html>
`;
}
