interface Parts {
  /**
   * Something happened to the session: ask how it stands. A step-up ends the old session too, so
   * "ended" alone does not say "signed out".
   */
  recheck: () => void;
  /** The user's methods changed, perhaps by another tab or device. */
  methodsChanged: () => void;
}

/**
 * Listens to what the gateway tells this session, as long as the tab is looked at: a browser keeps
 * few connections to one origin over HTTP/1.1, and hidden tabs must not hold them all. Answers how
 * to stop.
 */
export function followEvents({ recheck, methodsChanged }: Parts): () => void {
  let stream: EventSource | undefined;
  const follow = (): void => {
    stream?.close();
    stream = undefined;
    if (document.visibilityState !== 'visible') return;
    stream = new EventSource('/auth/events');
    for (const type of ['ended', 'expiring', 'quota_back']) stream.addEventListener(type, recheck);
    stream.addEventListener('method_changed', methodsChanged);
  };
  document.addEventListener('visibilitychange', follow);
  follow();
  return () => {
    document.removeEventListener('visibilitychange', follow);
    stream?.close();
  };
}
