import { escapeHtml } from '../http/page.ts';

/**
 * The script of the popup's last page, served as a file because no page here runs inline script: it
 * tells the opener, of this origin only, and closes.
 */
export const popupScript = `if (window.opener)
  window.opener.postMessage({ type: 'my-account-bff:step-up', ok: true }, window.location.origin);
window.close();
`;

/** The page a step-up in a popup ends on; without an opener it offers the way back as a link. */
export const popupPage = (returnTo: string): string => `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="color-scheme" content="light dark">
<title>Confirmed</title><script src="/auth/popup.js" defer></script></head>
<body><main><h1>Confirmed</h1>
<p>You can close this window, or <a href="${escapeHtml(returnTo)}">go back to your account</a>.</p></main></body></html>
`;
