import { Fault } from '#lib/errors.ts';

/** Objects and lists inside each other, in any body. */
export const maxNesting = 1000;

export function tooDeep(): Fault {
  return new Fault('invalid', `the object nests more than ${maxNesting} levels`);
}

/** Throws `invalid` for a value that nests deeper (or holds itself, as YAML allows). Not recursive, unlike all that comes after it. */
export function checkNesting(value: unknown): void {
  const pending: [value: unknown, depth: number][] = [[value, 0]];
  for (let next = pending.pop(); next; next = pending.pop()) {
    const [current, depth] = next;
    if (typeof current !== 'object' || current === null) continue;
    if (depth > maxNesting) throw tooDeep();
    for (const child of Object.values(current)) if (typeof child === 'object' && child !== null) pending.push([child, depth + 1]);
  }
}
