type Attribute = string | boolean | undefined | ((event: Event) => void);
/** What an element may hold; nothing is shown for undefined and false. */
export type Child = Node | string | undefined | false;

/**
 * An element with attributes, listeners (`onclick` and so on) and children; text stays text, markup
 * is never read from a string.
 */
export function el<Tag extends keyof HTMLElementTagNameMap>(
  tag: Tag,
  attributes: Record<string, Attribute> = {},
  ...children: Child[]
): HTMLElementTagNameMap[Tag] {
  const element = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (typeof value === 'function') element.addEventListener(name.slice(2), value);
    else if (typeof value === 'string') element.setAttribute(name, value);
    else if (value === true) element.setAttribute(name, '');
  }
  element.append(...children.filter((child) => child !== undefined && child !== false));
  return element;
}

const svg = 'http://www.w3.org/2000/svg';

/** An SVG element; for drawings, since SVG needs its namespace. */
export function shape(
  tag: string,
  attributes: Record<string, string>,
  ...children: Node[]
): SVGElement {
  const element = document.createElementNS(svg, tag);
  for (const [name, value] of Object.entries(attributes)) element.setAttribute(name, value);
  element.append(...children);
  return element;
}

/** One of the icons of index.html; decoration only, hidden from screen readers. */
export const icon = (name: string): SVGElement =>
  shape('svg', { class: 'icon', 'aria-hidden': 'true' }, shape('use', { href: `#i-${name}` }));

/** The element of index.html with that id. */
export function byId(id: string): HTMLElement {
  const element = document.getElementById(id);
  if (!element) throw new Error(`index.html has no element #${id}`);
  return element;
}

/**
 * Runs the work of a button: while it runs the button says so and does nothing more, whatever comes
 * of it.
 */
export async function whileBusy(
  button: HTMLButtonElement,
  work: () => Promise<void>,
): Promise<void> {
  if (button.ariaBusy === 'true') return;
  // Not `disabled`: that would throw the keyboard's focus back to the top of the page.
  button.ariaBusy = 'true';
  button.ariaDisabled = 'true';
  try {
    await work();
  } finally {
    button.ariaBusy = null;
    button.ariaDisabled = null;
  }
}
