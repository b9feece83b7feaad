/** The image of all measurements: one static busybox. Both peers import the same archive. */
import { execFileSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, symlinkSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

export const imageName = 'bench-busybox:1';

const applets = ['sh', 'true', 'sleep', 'nslookup'];

/** The archive of its root. */
export function rootArchive(): Buffer {
  const directory = mkdtempSync(join(tmpdir(), 'gantry-bench-image-'));
  try {
    for (const name of ['bin', 'tmp', 'etc']) mkdirSync(join(directory, name));
    copyFileSync('/bin/busybox', join(directory, 'bin', 'busybox'));
    for (const applet of applets) symlinkSync('busybox', join(directory, 'bin', applet));
    return execFileSync('tar', ['-C', directory, '-c', '.'], { maxBuffer: 64 << 20 });
  } finally {
    rmSync(directory, { recursive: true, force: true });
  }
}
