// Run once when the stack of docker-compose.yml starts: `node stack-secrets.js FOLDER`.
// Makes what the stack needs to keep secret and writes it where its parts read it; what is there already is kept.
import { randomBytes } from 'node:crypto';
import { chownSync, existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('Usage: node stack-secrets.js FOLDER');
const origin = 'http://localhost:8080';
const unprivileged = 1000; // The user `node` of the image, which the stack runs as.

const write = (name: string, text: string): void => {
  const file = join(folder, name);
  writeFileSync(file, text, { mode: 0o400 });
  if (process.getuid?.() === 0) chownSync(file, unprivileged, unprivileged);
};

mkdirSync(folder, { recursive: true });
if (!existsSync(join(folder, '.env'))) {
  const clientSecret = randomBytes(32).toString('base64url');
  const client = {
    client_id: 'stack',
    client_secret: clientSecret,
    name: 'The stack',
    callbacks: [`${origin}/auth/callback`],
    allowed_logout_urls: [`${origin}/`],
  };
  write('tenant.json', JSON.stringify({ clients: [client] }, null, 2));
  write(
    '.env',
    `AUTH0_CLIENT_SECRET=${clientSecret}\nAUTH0_SECRET=${randomBytes(32).toString('hex')}\n`,
  );
}
