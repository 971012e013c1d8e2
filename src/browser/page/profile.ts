import type { Profile } from '../index.ts';
import { el, icon, byId } from './dom.ts';

const initials = (name: string): string =>
  name
    .split(/[\s@.]+/)
    .filter(Boolean)
    .slice(0, 2)
    .map((part) => part.charAt(0).toUpperCase())
    .join('');

/**
 * Who is signed in; initials in place of the picture, which would have to be fetched from
 * elsewhere.
 */
export function showProfile({ name, nickname, email, email_verified, sub }: Profile): void {
  const shown = name ?? nickname ?? email ?? sub;
  byId('profile').replaceChildren(
    el(
      'div',
      { class: 'profile', 'data-test': 'profile' },
      el('span', { class: 'avatar', 'aria-hidden': 'true' }, initials(shown)),
      el(
        'div',
        {},
        el('p', { class: 'name', 'data-test': 'profile-name' }, shown),
        email !== undefined &&
          email !== shown &&
          el('p', { class: 'quiet', 'data-test': 'profile-email' }, email),
        email_verified === true &&
          el('p', { class: 'badge good' }, icon('check'), 'Email confirmed'),
        email_verified === false &&
          el('p', { class: 'badge warn' }, icon('alert'), 'Email not confirmed'),
      ),
    ),
  );
}

/** Name and way out in the head of the page; without a profile the head is empty. */
export function showWho(profile: Profile | undefined, signOut: () => void): void {
  const who = byId('who');
  if (!profile) who.replaceChildren();
  else {
    who.replaceChildren(
      el('span', { class: 'quiet', 'data-test': 'who' }, profile.email ?? profile.name ?? ''),
      el('button', { type: 'button', 'data-test': 'sign-out', onclick: signOut }, 'Sign out'),
    );
  }
}
