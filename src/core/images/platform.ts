import { Fault } from '#lib/errors.ts';
import type { Descriptor, Platform } from '#core/content/types.ts';

/** Node's names of architectures, as OCI writes them. */
const architectures: Readonly<Record<string, { architecture: string; variant?: string }>> = {
  x64: { architecture: 'amd64' },
  arm64: { architecture: 'arm64', variant: 'v8' },
  arm: { architecture: 'arm', variant: 'v7' },
  ia32: { architecture: '386' },
  ppc64: { architecture: 'ppc64le' },
  s390x: { architecture: 's390x' },
  riscv64: { architecture: 'riscv64' },
};

/** The platform of containers on this host. */
export function hostPlatform(arch: string = process.arch): Platform {
  return { os: 'linux', ...(architectures[arch] ?? { architecture: arch }) };
}

export function formatPlatform(platform: Platform): string {
  return [platform.os, platform.architecture, ...(platform.variant ? [platform.variant] : [])].join('/');
}

/** `os/architecture[/variant]`; also the aliases that Docker's clients use (`linux/x86_64`, `linux/aarch64`). */
export function parsePlatform(text: string): Platform {
  const parts = text.toLowerCase().split('/');
  if (parts.length < 1 || parts.length > 3 || parts.some((part) => !/^[a-z0-9_.-]+$/.test(part))) {
    throw new Fault('invalid', `invalid platform ${JSON.stringify(text)}: want os/architecture[/variant]`);
  }
  if (parts.length === 1) {
    // One word is an operating system or an architecture.
    return normalize(parts[0] === 'linux' ? hostPlatform() : { os: 'linux', architecture: parts[0]! });
  }
  return normalize({ os: parts[0]!, architecture: parts[1]!, ...(parts[2] ? { variant: parts[2] } : {}) });
}

/** One spelling for each platform: `aarch64` is `arm64`, and `arm64/v8` just `arm64`. */
export function normalize(platform: Platform): Platform {
  const alias: Readonly<Record<string, string>> = { x86_64: 'amd64', 'x86-64': 'amd64', aarch64: 'arm64', i386: '386', armhf: 'arm', armel: 'arm' };
  const architecture = alias[platform.architecture] ?? platform.architecture;
  let variant = platform.variant;
  if (architecture === 'arm64' && variant === 'v8') variant = undefined;
  if (architecture === 'amd64' && variant === 'v1') variant = undefined;
  if (architecture === 'arm') variant ??= platform.architecture === 'armel' ? 'v6' : 'v7';
  return { os: platform.os, architecture, ...(variant ? { variant } : {}) };
}

/** The platform that an image's config tells. */
export function platformOf({ os, architecture, variant }: { os: string; architecture: string; variant?: string }): Platform {
  return normalize({ os, architecture, ...(variant ? { variant } : {}) });
}

export function matches(wanted: Platform, found: Platform): boolean {
  return rank(wanted, found) >= 0;
}

/** Of the manifests of an index, the one that suits `wanted` best; undefined where none runs there. */
export function pickPlatform(manifests: readonly Descriptor[], wanted: Platform): Descriptor | undefined {
  let best: { descriptor: Descriptor; rank: number } | undefined;
  for (const descriptor of manifests) {
    // BuildKit puts attestations into an index, under a platform that is none.
    if (descriptor.annotations?.['vnd.docker.reference.type'] !== undefined) continue;
    const fit = descriptor.platform ? rank(wanted, descriptor.platform) : -1;
    if (fit >= 0 && (!best || fit > best.rank)) best = { descriptor, rank: fit };
  }
  return best?.descriptor;
}

/** How well `found` suits, higher better; -1: not at all. An ARM processor runs what is for earlier variants. */
function rank(wantedAs: Platform, foundAs: Platform): number {
  const wanted = normalize(wantedAs);
  const found = normalize(foundAs);
  if (wanted.os !== found.os || wanted.architecture !== found.architecture) return -1;
  if (wanted.variant === found.variant) return 100;
  const level = (platform: Platform): number => Number(/^v([0-9]+)/.exec(platform.variant ?? '')?.[1] ?? (platform.architecture === 'arm64' ? 8 : 1));
  return level(found) <= level(wanted) ? level(found) : -1;
}
