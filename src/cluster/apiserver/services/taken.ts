import type { Fault } from '#lib/errors.ts';
import type { AdmissionRequest } from '../types.ts';

const nothing = new Uint8Array();

/**
 * Adds to the request's transaction that the keys in `wanted` and not in `held` get taken, and those the other way
 * round released. `refuse` tells why a key cannot be had, where that is known already.
 */
export function take({ also }: AdmissionRequest, held: readonly string[], wanted: readonly string[], refuse: (key: string) => Fault | undefined): void {
  for (const key of wanted) {
    if (held.includes(key)) continue;
    const refused = refuse(key);
    if (refused) throw refused;
    also.compare.push({ key, target: 'createRevision', is: '=', value: 0 });
    also.then.push({ op: 'put', key, value: nothing });
  }
  for (const key of held) if (!wanted.includes(key)) also.then.push({ op: 'delete', key });
}
