/** Escapes text for HTML content and attribute values. */
export const escape = (text: string): string =>
  text.replace(/[&<>"']/g, (character) => `&#${String(character.charCodeAt(0))};`);

const style = `:root{color-scheme:light dark;font:16px/1.5 system-ui,sans-serif}
body{margin:0;min-height:100vh;display:grid;place-items:center;background:light-dark(#eef0f5,#16181d)}
main{width:min(26rem,calc(100vw - 4rem));padding:2rem;border-radius:.75rem;background:light-dark(#fff,#22252c);box-shadow:0 1px 12px #0003}
main.wide{width:min(52rem,calc(100vw - 4rem));margin:2rem 0}
h1{font-size:1.35rem;margin:0 0 1rem}h2{font-size:1.1rem;margin:1.25rem 0 .5rem}label{display:block;margin:.75rem 0 .25rem}
input:not([type=checkbox]){width:100%;box-sizing:border-box;padding:.6rem;font:inherit;border:1px solid #8888;border-radius:.4rem;background:transparent;color:inherit}
button{width:100%;margin-top:1rem;padding:.65rem;font:inherit;font-weight:600;border:0;border-radius:.4rem;background:#635dff;color:#fff;cursor:pointer}
button.quiet{background:transparent;color:inherit;border:1px solid #8888}
.error{padding:.6rem;border-radius:.4rem;background:light-dark(#fde8e8,#5b1f1f);margin:0 0 1rem}
code,pre{font:14px/1.5 ui-monospace,monospace;overflow-wrap:anywhere;white-space:pre-wrap}table{border-collapse:collapse}td,th{text-align:left;padding:.2rem .8rem .2rem 0;vertical-align:top}
a{color:light-dark(#4a45c9,#a9a5ff)}footer{margin-top:1.5rem;font-size:.85rem;opacity:.75}`;

/** A whole page; `body` is HTML already. Works without JavaScript. */
export function layout(title: string, body: string, kind: '' | 'wide' = ''): string {
  return `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1"><title>${escape(title)}</title><style>${style}</style></head>
<body><main class="${kind}"><h1>${escape(title)}</h1>
${body}
<footer>An Auth0 tenant on this machine, for development. Not Auth0.</footer></main></body></html>
`;
}

/** The line of a form that says what went wrong; nothing when nothing did. */
export const problemLine = (problem: string | undefined): string =>
  problem === undefined ? '' : `<p class="error" role="alert" id="problem">${escape(problem)}</p>`;

/** A hidden form member. */
export const hidden = (name: string, value: string): string =>
  `<input type="hidden" name="${escape(name)}" value="${escape(value)}">`;
