import { describe, expect, test } from '@jest/globals';
import { passwordPolicy, refusedPassword } from '../../../../src/tenant/me/password-policy.ts';

const settings = { min_length: 8, history_size: 2, dictionary: true };
const refusal = (password: string, earlier: string[] = []) =>
  refusedPassword(password, settings, (hash) => hash === password, earlier);

describe('the password policy', () => {
  test('takes three of four kinds of characters', () => {
    expect(refusal('MySecureP@ssw0rd!')).toBeUndefined();
    expect(refusal('lowerUPPER1')).toBeUndefined();
  });

  test.each([
    ['too short', 'Ab1!xyz'],
    ['too long for bcrypt', `Ab1!${'é'.repeat(40)}`],
    ['of two kinds', 'lowercase123'],
    ['on the list of common ones', 'Password123!'],
  ])('refuses one that is %s', (_, password) => {
    expect(refusal(password)).toMatch(/^The password /);
  });

  test('looks back as far as the history goes', () => {
    expect(refusal('MySecureP@ss', ['x', 'MySecureP@ss'])).toBe('The password was used before.');
    expect(refusal('MySecureP@ss', ['x', 'y', 'MySecureP@ss'])).toBeUndefined();
  });

  test('is shown as it is enforced', () => {
    expect(passwordPolicy({ min_length: 12, history_size: 0, dictionary: false })).toMatchObject({
      complexity: { min_length: 12, character_type_rule: 'three_of_four' },
      history: { active: false },
      dictionary: { active: false },
    });
  });
});
