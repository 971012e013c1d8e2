/**
 * What the last page of a step-up in a popup tells the page that opened it; the origin is checked,
 * this only says what it is about.
 */
const saying = 'my-account-bff:step-up';

/**
 * Opens the step-up in a window of its own and answers when that window says it is done, or is
 * closed. False when the browser would not open one. Where the sign-in page cuts the tie to its
 * opener the window counts as closed at once: then the action is simply asked for again.
 */
export function openPopup(url: string): Promise<boolean> {
  const popup = open(url, 'my-account-bff-step-up', 'popup,width=480,height=720');
  if (popup === null) return Promise.resolve(false);
  return new Promise((resolve) => {
    const done = (): void => {
      removeEventListener('message', heard);
      clearInterval(timer);
      resolve(true);
    };
    const heard = ({ origin, source, data }: MessageEvent<unknown>): void => {
      const said =
        typeof data === 'object' && data !== null && 'type' in data && data.type === saying;
      if (origin === location.origin && source === popup && said) done();
    };
    addEventListener('message', heard);
    const timer = setInterval(() => {
      if (popup.closed) done();
    }, 300);
  });
}
