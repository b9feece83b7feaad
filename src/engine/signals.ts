/** Signal names and numbers, as `--signal` and StopSignal take them. */
import { constants } from 'node:os';
import { Fault } from '#lib/errors.ts';

const realTimeFirst = 34;
const realTimeLast = 64;
export const sigterm = 15;
export const sigkill = 9;

/** `TERM`, `sigterm`, `15`, `RTMIN+3`; anything else is `invalid` in Docker's words. */
export function parseSignal(text: string): number {
  const invalid = new Fault('invalid', `Invalid signal: ${text}`);
  if (/^\d+$/.test(text)) {
    const number = Number(text);
    if (number < 1 || number > realTimeLast) throw invalid;
    return number;
  }
  const name = text.toUpperCase().replace(/^SIG/, '');
  const known = (constants.signals as Record<string, number>)[`SIG${name}`];
  if (known !== undefined) return known;
  const realTime = /^RT(MIN|MAX)(?:([+-])(\d+))?$/.exec(name);
  if (!realTime) throw invalid;
  const offset = Number(realTime[3] ?? 0) * (realTime[2] === '-' ? -1 : 1);
  const number = (realTime[1] === 'MIN' ? realTimeFirst : realTimeLast) + offset;
  if (number < realTimeFirst || number > realTimeLast) throw invalid;
  return number;
}
