/** Numbers that may be a share of another: `3` or `25%`. */
import { Fault } from '#lib/errors.ts';
import type { IntOrString } from './types.ts';

/** Whether the value is a number or a percentage text. */
export function isPercent(value: IntOrString): value is string {
  return typeof value === 'string' && /^\d+%$/.test(value);
}

/**
 * The number that `value` stands for: itself, or its percentage of `total`.
 * @throws `invalid` where a text is no percentage
 */
export function scaledValue(value: IntOrString, total: number, round: 'up' | 'down'): number {
  if (typeof value === 'number') return value;
  if (!isPercent(value)) throw new Fault('invalid', `invalid value for IntOrString: invalid type: string is not a percentage`);
  const share = (Number(value.slice(0, -1)) * total) / 100;
  return round === 'up' ? Math.ceil(share) : Math.floor(share);
}
