import { newestApi, oldestApi, showApi } from '#api/docker/versions.ts';
import { Fault } from '#lib/errors.ts';

/** Takes `/v1.41` off a path; no prefix means the newest version. */
export function splitVersion(path: string): { version: number; path: string } {
  const match = /^\/v(\d+)\.(\d+)(\/.*)$/.exec(path);
  if (!match) return { version: newestApi, path };
  const asked = `${match[1]}.${match[2]}`;
  const minor = Number(match[1]) === 1 ? Number(match[2]) : Number(match[1]) < 1 ? -1 : Infinity;
  if (minor > newestApi) {
    throw new Fault('invalid', `client version ${asked} is too new. Maximum supported API version is ${showApi(newestApi)}`);
  }
  if (minor < oldestApi) {
    throw new Fault('invalid', `client version ${asked} is too old. Minimum supported API version is ${showApi(oldestApi)}, please upgrade your client to a newer version`);
  }
  return { version: minor, path: match[3] ?? '/' };
}
