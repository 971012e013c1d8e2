const longest = 1_024;

/**
 * The address a person comes back to: a full URL of this origin made from what was asked, or its
 * front page when that names another place or none.
 */
export const readReturnTo = (asked: unknown, origin: string): string => {
  const front = `${origin}/`;
  if (typeof asked !== 'string' || asked.length > longest) return front;
  const url = URL.parse(asked, front);
  // Only the parser of browsers decides what an address names; comparing its answer leaves no room
  // for tabs, backslashes or encoded tricks.
  if (url === null || url.origin !== origin || url.username !== '' || url.password !== '')
    return front;
  return url.href;
};

/** The same address as a path, for links and for the member of a problem. */
export const pathOf = (returnTo: string): string => {
  const { pathname, search, hash } = new URL(returnTo);
  return pathname.startsWith('//') ? '/' : `${pathname}${search}${hash}`;
};
