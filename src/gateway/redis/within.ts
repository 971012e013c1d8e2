/** Waits for a promise for so many milliseconds at most, then rejects as a command that timed out. */
export const within = <T>(promise: Promise<T>, ms: number): Promise<T> =>
  new Promise((resolve, reject) => {
    const timer = setTimeout(() => {
      reject(new Error('Command timed out'));
    }, ms);
    const settle = (): void => {
      clearTimeout(timer);
      resolve(promise);
    };
    promise.then(settle, settle);
  });
