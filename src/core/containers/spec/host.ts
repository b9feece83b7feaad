/** What the host lets this daemon give to containers, found once. */
import { readFileSync } from 'node:fs';
import type { RuntimeRlimit } from '#api/oci/runtime.ts';
import type { Logger } from '#lib/log.ts';
import { hostCapabilities } from '../capabilities.ts';
import { seccompHost } from '../seccomp/resolve.ts';
import type { SeccompHost } from '../seccomp/resolve.ts';

export interface SpecHost {
  cgroupVersion: 1 | 2;
  seccomp: SeccompHost;
  /** Capabilities that exist here and may be passed on. */
  capabilities: ReadonlySet<string>;
  /** The value that the kernel takes in place of the one wished for. */
  oomScoreAdj(wished: number): number;
  rlimit(wished: RuntimeRlimit): RuntimeRlimit;
}

export function specHost(cgroupVersion: 1 | 2, log: Logger): SpecHost {
  const capabilities = hostCapabilities();
  const free = capabilities.has('CAP_SYS_RESOURCE');
  const ownScore = Number(readFileSync('/proc/self/oom_score_adj', 'utf8'));
  const ownLimits = readLimits();
  const said = new Set<string>();
  const once = (what: string): void => {
    if (said.has(what)) return;
    said.add(what);
    log.warn(`this host has no CAP_SYS_RESOURCE: ${what}`);
  };
  return {
    cgroupVersion,
    seccomp: seccompHost(),
    capabilities,
    oomScoreAdj: (wished) => {
      if (free || wished >= ownScore) return wished;
      once(`an oom_score_adj below ${ownScore} is taken as ${ownScore}`);
      return ownScore;
    },
    rlimit: (wished) => {
      const most = ownLimits.get(wished.type) ?? Infinity;
      if (free || wished.hard <= most) return wished;
      once(`${wished.type} cannot be above ${most}`);
      return { type: wished.type, soft: Math.min(wished.soft, most), hard: most };
    },
  };
}

const limitNames: Record<string, string> = {
  'Max cpu time': 'CPU',
  'Max file size': 'FSIZE',
  'Max data size': 'DATA',
  'Max stack size': 'STACK',
  'Max core file size': 'CORE',
  'Max resident set': 'RSS',
  'Max processes': 'NPROC',
  'Max open files': 'NOFILE',
  'Max locked memory': 'MEMLOCK',
  'Max address space': 'AS',
  'Max file locks': 'LOCKS',
  'Max pending signals': 'SIGPENDING',
  'Max msgqueue size': 'MSGQUEUE',
  'Max nice priority': 'NICE',
  'Max realtime priority': 'RTPRIO',
  'Max realtime timeout': 'RTTIME',
};

/** Hard limits of this process by the runtime's names (`RLIMIT_NOFILE`). */
function readLimits(): Map<string, number> {
  const limits = new Map<string, number>();
  for (const line of readFileSync('/proc/self/limits', 'utf8').split('\n')) {
    const match = /^(Max .+?)\s{2,}(\d+|unlimited)\s+(\d+|unlimited)/.exec(line);
    const name = match ? limitNames[match[1]!] : undefined;
    if (name) limits.set(`RLIMIT_${name}`, match![3] === 'unlimited' ? Infinity : Number(match![3]));
  }
  return limits;
}
