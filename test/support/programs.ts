/** Programs that tests drive, by the PATH (the launcher adds those that it fetched). */
import { execFileSync } from 'node:child_process';
import { accessSync, constants } from 'node:fs';
import { delimiter, join } from 'node:path';

/** Where a program is; undefined where it is not. */
export function programPath(name: string): string | undefined {
  for (const directory of (process.env.PATH ?? '').split(delimiter)) {
    const path = join(directory, name);
    try {
      accessSync(path, constants.X_OK);
      return path;
    } catch {
      // not in this one
    }
  }
  return undefined;
}

/** Why a case that needs a newer `docker` than the tests' set-up asks for is skipped; false where this one is new enough. */
export function dockerOlderThan(major: number): string | false {
  if (programPath('docker') === undefined) return 'there is no docker client';
  const version = execFileSync('docker', ['--version'], { encoding: 'utf8' }).match(/\d+[.\d]*/)?.[0] ?? '0';
  return Number.parseInt(version, 10) < major && `docker is ${version}: this needs ${major} or newer`;
}
