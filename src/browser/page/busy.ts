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
