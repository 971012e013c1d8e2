import { el, icon } from './dom.ts';

/**
 * A button that copies the text, and says so; where copying is not allowed it selects what is shown
 * instead.
 */
export function copyButton(text: string, shown: HTMLElement, test: string): HTMLButtonElement {
  const label = el('span', { 'aria-live': 'polite' }, 'Copy');
  const copy = async (): Promise<void> => {
    try {
      await navigator.clipboard.writeText(text);
      label.textContent = 'Copied';
    } catch {
      getSelection()?.selectAllChildren(shown);
      label.textContent = 'Selected: press Ctrl+C';
    }
  };
  return el(
    'button',
    { type: 'button', class: 'small', 'data-test': test, onclick: () => void copy() },
    icon('copy'),
    label,
  );
}

/** A button that saves the text as a file, made in the page: nothing is sent anywhere. */
export function downloadButton(text: string, name: string, test: string): HTMLButtonElement {
  const save = (): void => {
    const url = URL.createObjectURL(new Blob([text], { type: 'text/plain' }));
    el('a', { href: url, download: name }).click();
    URL.revokeObjectURL(url);
  };
  return el(
    'button',
    { type: 'button', class: 'small', 'data-test': test, onclick: save },
    icon('download'),
    'Download',
  );
}

/** A secret to read off, in groups of four for the eye and in one piece for whoever copies it. */
export function secretText(secret: string, test: string): HTMLElement {
  const groups = (secret.match(/.{1,4}/g) ?? []).map((group) => el('span', {}, group));
  return el('code', { class: 'secret', 'data-test': test, translate: 'no' }, ...groups);
}
