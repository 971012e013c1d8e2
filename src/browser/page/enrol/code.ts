import { ProblemError } from '../../index.ts';
import { field } from '../dialog.ts';

/**
 * The field for a one-time code, and its check before anything is sent: a slip of the finger must
 * not cost one of the few attempts.
 */
export function codeField(test: string, hint?: string) {
  const { row, input } = field(
    'Code',
    {
      class: 'code',
      'data-test': test,
      inputmode: 'numeric',
      autocomplete: 'one-time-code',
      maxlength: '9',
      required: true,
      autofocus: true,
    },
    hint,
  );
  return {
    row,
    value: () => input.value.replaceAll(/[\s-]/g, ''),
    check: () =>
      /^[\s-]*(\d[\s-]*){4,8}$/.test(input.value)
        ? undefined
        : { message: 'Enter the digits of the code.', field: input },
  };
}

/**
 * Longest wait, in seconds, that a typed code survives; past it the user is told to come back with
 * a new one.
 */
export const codeMaxWait = 15;

/** What a refused code means; other failures keep their usual words. */
export const explainCode =
  (hint: string) =>
  (error: unknown): string | undefined => {
    if (!(error instanceof ProblemError)) return undefined;
    if (error.status === 400) return `That code was not accepted. ${hint}`;
    if (error.status === 429)
      return `That was often enough for now. Try again in ${error.retryAfterSeconds ?? 60} seconds, with the code of that moment.`;
    return undefined;
  };
