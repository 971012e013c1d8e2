// One letter for each scope that nearly every session has: seven of them in full would make an
// entry a tenth larger, and its memory a quarter, since Redis' allocator gives space in steps. The
// order is part of what is stored: only append.
const common = [
  'openid',
  'profile',
  'email',
  'offline_access',
  'read:me:authentication_methods',
  'create:me:authentication_methods',
  'update:me:authentication_methods',
  'delete:me:authentication_methods',
  'read:me:factors',
  'read:me:connected_accounts',
  'create:me:connected_accounts',
  'delete:me:connected_accounts',
  'online_access',
];
const letter = (index: number): string => String.fromCharCode(65 + index);
const codes = new Map(common.map((scope, index) => [scope, letter(index)]));
const scopes = new Map(common.map((scope, index) => [letter(index), scope]));

/** Writes scopes in their order, the common ones as a letter. */
export const packScopes = (list: readonly string[]): string =>
  list
    .map(
      (scope) =>
        codes.get(scope) ?? (scope.length === 1 || scope.startsWith('=') ? `=${scope}` : scope),
    )
    .join(' ');

/** Reads what packScopes wrote. */
export const unpackScopes = (text: string): string[] =>
  text === ''
    ? []
    : text
        .split(' ')
        .map((code) => scopes.get(code) ?? (code.startsWith('=') ? code.slice(1) : code));
