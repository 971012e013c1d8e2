/**
 * Pushes waiting for the user's answer, given with POST /_control/push: by user id, the newest
 * reference of each.
 */
export interface Pushes {
  ask(reference: string, userId: string): void;
  /** Answers every waiting push of a user; how many there were. */
  answer(userId: string, approve: boolean): number;
  state(reference: string): 'waiting' | 'approved' | 'rejected' | undefined;
  clear(): void;
}

/** Makes an empty list. */
export function createPushes(): Pushes {
  const byReference = new Map<
    string,
    { userId: string; state: 'waiting' | 'approved' | 'rejected' }
  >();
  return {
    ask(reference, userId) {
      byReference.set(reference, { userId, state: 'waiting' });
    },
    answer(userId, approve) {
      const waiting = [...byReference.values()].filter(
        (push) => push.userId === userId && push.state === 'waiting',
      );
      for (const push of waiting) push.state = approve ? 'approved' : 'rejected';
      return waiting.length;
    },
    state: (reference) => byReference.get(reference)?.state,
    clear: () => {
      byReference.clear();
    },
  };
}
