/** For tests that need the real kernel. */
import { describe, it } from 'node:test';

/** Runs `body` where this is Linux and root; elsewhere one skipped test says why. */
export function onLinuxAsRoot(what: string, body: () => void): void {
  const why = process.platform !== 'linux' ? 'the host is not Linux' : process.getuid?.() !== 0 ? 'it needs root' : undefined;
  if (why === undefined) body();
  else describe(what, () => it(`on this kernel`, { skip: why }, () => {}));
}
