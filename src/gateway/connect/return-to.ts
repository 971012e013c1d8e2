/** A path of this origin to come back to, made from what was asked; the front page when that names another place or none. */
export const readPath = (asked: unknown, origin: string): string => {
  if (typeof asked !== 'string' || asked.length > 1_024) return '/';
  const url = URL.parse(asked, `${origin}/`);
  if (url === null || url.origin !== origin || url.username !== '' || url.password !== '' || url.pathname.startsWith('//')) return '/';
  return `${url.pathname}${url.search}${url.hash}`;
};
