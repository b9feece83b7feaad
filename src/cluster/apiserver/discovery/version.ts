import { arch } from 'node:process';

/** The Kubernetes release whose API this is. */
export const kubernetesVersion = { major: '1', minor: '36', patch: '0' };

export function gitVersion(): string {
  const { major, minor, patch } = kubernetesVersion;
  return `v${major}.${minor}.${patch}+gantry`;
}

const goArchitectures: Record<string, string> = { x64: 'amd64', arm64: 'arm64' };

/** The answer to `/version`. */
export function version(): Record<string, string> {
  const { major, minor } = kubernetesVersion;
  return {
    major,
    minor,
    gitVersion: gitVersion(),
    gitCommit: '',
    gitTreeState: 'clean',
    buildDate: '1970-01-01T00:00:00Z',
    goVersion: '',
    compiler: 'node',
    platform: `linux/${goArchitectures[arch] ?? arch}`,
  };
}
