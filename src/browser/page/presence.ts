/** Other tabs of this page hear on it that the user signed out. */
const channel = new BroadcastChannel('my-account-bff');

interface Parts {
  /** Begin again as if the page had just been opened. */
  reopen: () => void;
  /** Ask whether the session still is as shown. */
  recheck: () => void;
  /** The gateway said that nobody is signed in. */
  ended: () => void;
  /** The gateway said that another user than the one on the page is signed in. */
  userChanged: () => void;
}

const codeOf = async (response: Response): Promise<unknown> => {
  const body: unknown = await response
    .clone()
    .json()
    .catch(() => undefined);
  return typeof body === 'object' && body !== null && 'code' in body ? body.code : undefined;
};

/**
 * Notices what can make the page untrue: the end of the session, here or in another tab, the back
 * button, a spent budget.
 */
export function createPresence({ reopen, recheck, ended, userChanged }: Parts) {
  let soon: ReturnType<typeof setTimeout> | undefined;
  let changedAt = 0;

  channel.addEventListener('message', recheck);
  addEventListener('pageshow', (event) => {
    // Taken from the browser's memory by the back button: what it shows may belong to a session
    // that has ended since.
    if (event.persisted) reopen();
  });
  document.addEventListener('visibilitychange', () => {
    if (document.visibilityState === 'visible') recheck();
  });

  return {
    /**
     * The browser's fetch; after a call of the API it has the budget looked up. A 401 ends what is
     * shown, and so does the answer that somebody else is signed in by now.
     */
    fetch: async (...request: Parameters<typeof fetch>): Promise<Response> => {
      const changes = (request[1]?.method ?? 'GET') !== 'GET';
      const response = await fetch(...request);
      const { pathname } = new URL(response.url);
      if (changes) changedAt = Date.now();
      if (response.status === 401 && pathname !== '/auth/session') ended();
      else if (response.status === 409 && (await codeOf(response)) === 'user_changed')
        userChanged();
      if (!pathname.startsWith('/auth/')) {
        clearTimeout(soon);
        soon = setTimeout(recheck, 150);
      }
      return response;
    },
    /**
     * Whether this tab changed something in the last five seconds: what the gateway then tells of
     * is shown already.
     */
    changedHere: (): boolean => Date.now() - changedAt < 5000,
    tellOthers(): void {
      channel.postMessage('signed out');
    },
  };
}
