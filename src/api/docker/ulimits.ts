/** `--ulimit` of containers and builds. */
import { Fault } from '#lib/errors.ts';
import type { Ulimit } from './host-config.ts';

const names = ['core', 'cpu', 'data', 'fsize', 'locks', 'memlock', 'msgqueue', 'nice', 'nofile', 'nproc', 'rss', 'rtprio', 'rttime', 'sigpending', 'stack'];

/** In the runtime's terms; -1 is no limit. `invalid` in Docker's words. */
export function rlimitsOf(ulimits: readonly Ulimit[]): { type: string; soft: number; hard: number }[] {
  return ulimits.map(({ Name, Soft, Hard }) => {
    if (!names.includes(Name)) throw new Fault('invalid', `invalid ulimit type: ${Name}`);
    if (Soft > Hard && Hard !== -1) throw new Fault('invalid', `ulimit soft limit must be less than or equal to hard limit: ${Soft} > ${Hard}`);
    return { type: `RLIMIT_${Name.toUpperCase()}`, soft: unlimited(Soft), hard: unlimited(Hard) };
  });
}

function unlimited(value: number): number {
  return value === -1 ? Number.MAX_SAFE_INTEGER : value;
}
