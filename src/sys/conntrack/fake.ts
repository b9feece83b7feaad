import type { Conntrack, LedConnection } from './types.ts';

export interface FakeConntrack extends Conntrack {
  /** Tracks a connection in the namespace at `path`. */
  track(connection: LedConnection, path?: string): void;
  drop(path: string): void;
}

export function fakeConntrack(exists: (path: string) => boolean = () => true): FakeConntrack {
  const tables = new Map<string, LedConnection[]>();
  const at = (path = ''): LedConnection[] => {
    if (path !== '' && !exists(path)) throw new Error(`assertion failed: there is no namespace ${path}`);
    return tables.get(path) ?? [];
  };
  return {
    track: (connection, path) => void tables.set(path ?? '', [...at(path), connection]),
    drop: (path) => void tables.delete(path),
    forget: (test, path) => {
      const all = at(path);
      const kept = all.filter((connection) => !test(connection));
      tables.set(path ?? '', kept);
      return all.length - kept.length;
    },
  };
}
