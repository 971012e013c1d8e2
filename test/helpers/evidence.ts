/** Where a secret was seen that should not be there. */
export interface Leak {
  readonly where: string;
  readonly what: string;
}

/** What a run showed to the outside, kept to be searched. */
export interface Evidence {
  /** Keeps a piece of text and where it was seen. */
  add(where: string, text: string): void;
  /** How many characters were kept: a search through nothing proves nothing. */
  size(): number;
  /** Every place where one of these secrets stands, as it is, URL-encoded, base64 or base64url. The secrets' names, never their values, are in the answer. */
  find(secrets: ReadonlyMap<string, string>): Leak[];
  /** Every place where something shaped like a token stands. */
  tokens(): Leak[];
}

// A JSON Web Token of any kind, and Auth0's sealed values.
const shapes: readonly (readonly [string, RegExp])[] = [
  ['a JSON Web Token', /eyJ[\w-]{10,}\.[\w-]{10,}\.[\w-]*/],
  ['a sealed value of the tenant', /Fe26\.2\*/],
];

/** Makes an empty collection of evidence. */
export function createEvidence(): Evidence {
  const pieces: { where: string; text: string }[] = [];
  return {
    add(where, text) {
      if (text !== '') pieces.push({ where, text });
    },
    size: () => pieces.reduce((sum, { text }) => sum + text.length, 0),
    find(secrets) {
      return [...secrets].flatMap(([what, secret]) => {
        const spellings = spellingsOf(secret);
        return pieces
          .filter(({ text }) => spellings.some((each) => text.includes(each)))
          .map(({ where }) => ({ where, what }));
      });
    },
    tokens: () =>
      shapes.flatMap(([what, shape]) =>
        pieces.filter(({ text }) => shape.test(text)).map(({ where }) => ({ where, what })),
      ),
  };
}

/** A secret in the forms it may be copied in; inside a longer base64 text it may begin at any of three offsets. */
function spellingsOf(secret: string): string[] {
  const shifted = [0, 1, 2].map((offset) => {
    const encoded = Buffer.concat([Buffer.alloc(offset), Buffer.from(secret)]).toString('base64');
    return encoded.slice(Math.ceil((offset * 8) / 6), -4).replace(/=+$/, '');
  });
  const base64 = shifted.filter((each) => each.length >= 16);
  return [
    secret,
    encodeURIComponent(secret),
    ...base64,
    ...base64.map((each) => each.replaceAll('+', '-').replaceAll('/', '_')),
  ];
}
