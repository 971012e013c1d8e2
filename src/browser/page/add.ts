import type { Client, FactorType } from '../index.ts';
import { el, icon, byId } from './dom.ts';
import type { Methods } from './methods.ts';
import { explain, kindTexts } from './messages.ts';

/**
 * Which factors the tenant offers is the same for everyone and rarely changes: it is kept for this
 * tab, so that a reload costs one read less.
 */
const kept = 'my-account-bff.factors';

async function offered(client: Client): Promise<FactorType[]> {
  const stored = sessionStorage.getItem(kept);
  if (stored !== null) return stored.split(' ') as FactorType[];
  const types = (await client.factors.list()).factors.map(({ type }) => type);
  sessionStorage.setItem(kept, types.join(' '));
  return types;
}

/** The ways that can be added here, of those the tenant has switched on. */
export async function showAdd(client: Client, methods: Methods): Promise<void> {
  const box = byId('add');
  box.replaceChildren(
    el(
      'div',
      { class: 'skeleton short', role: 'status' },
      el('span', { class: 'unseen' }, 'Looking up what can be added'),
    ),
  );
  try {
    const order = Object.keys(kindTexts) as FactorType[];
    const types = new Set(await offered(client));
    const tiles = order
      .filter((type) => types.has(type) && kindTexts[type].offer !== undefined)
      .map((type) => tile(type, methods));
    box.replaceChildren(
      tiles.length > 0
        ? el('ul', { class: 'tiles' }, ...tiles)
        : el('p', { class: 'empty' }, 'No other way is on offer here.'),
    );
  } catch (error) {
    const again = el(
      'button',
      {
        type: 'button',
        class: 'link',
        'data-test': 'retry-factors',
        onclick: () => void showAdd(client, methods),
      },
      'Try again',
    );
    box.replaceChildren(
      el('p', { class: 'empty', 'data-test': 'error' }, explain(error), ' ', again),
    );
  }
}

function tile(type: FactorType, methods: Methods): HTMLElement {
  const { name, offer, icon: picture } = kindTexts[type];
  const button = el(
    'button',
    {
      type: 'button',
      class: 'tile',
      'data-test': `add-${type}`,
      onclick: () => void methods.add(type, button),
    },
    el('span', { class: 'mark' }, icon(picture)),
    el('span', {}, el('b', {}, name), el('small', {}, offer)),
  );
  return el('li', {}, button);
}
