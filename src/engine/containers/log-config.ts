/** `--log-driver` and `--log-opt`. */
import type { HostConfig } from '#api/docker/host-config.ts';
import { mostFiles } from '#core/logs/files.ts';
import type { LogLimits } from '#core/logs/files.ts';
import { Fault } from '#lib/errors.ts';

interface LogDriver {
  options: readonly string[];
  /** Limits where the options do not say. */
  bytes: number;
  files: number;
}

/** Drivers that read as json-file does; the others write elsewhere, or need what Gantry has not. Files are never compressed. */
const drivers: Readonly<Record<string, LogDriver>> = {
  'json-file': { options: ['max-size', 'max-file', 'compress'], bytes: Infinity, files: 1 },
  local: { options: ['max-size', 'max-file', 'compress'], bytes: 20_000_000, files: 5 },
  none: { options: [], bytes: Infinity, files: 1 },
};

/** Options of json-file that Docker has beside these; they are told from mistakes. */
const notYet = ['labels', 'labels-regex', 'env', 'env-regex', 'tag', 'mode', 'max-buffer-size'];

export const logDrivers: readonly string[] = Object.keys(drivers);

export function checkLog(h: HostConfig): { Type: string; Config: Record<string, string> } {
  const Type = h.LogConfig?.Type || 'json-file';
  const Config = h.LogConfig?.Config ?? {};
  if (!Object.hasOwn(drivers, Type)) throw new Fault('invalid', `logger: no log driver named '${Type}' is registered; Gantry has ${logDrivers.join(', ')}`);
  for (const option of Object.keys(Config)) {
    if (drivers[Type]!.options.includes(option)) continue;
    if (Type !== 'none' && notYet.includes(option)) throw new Fault('not-implemented', `log option ${option} (--log-opt) is not implemented by Gantry`);
    throw new Fault('invalid', `unknown log opt '${option}' for ${Type} log driver`);
  }
  logLimitsOf({ LogConfig: { Type, Config } });
  return { Type, Config };
}

/** How large a log may be; undefined where it may grow. */
export function logLimitsOf({ LogConfig }: Pick<HostConfig, 'LogConfig'>): LogLimits | undefined {
  const driver = drivers[LogConfig?.Type || 'json-file'] ?? drivers['json-file']!;
  const { 'max-size': size, 'max-file': count, compress } = LogConfig?.Config ?? {};
  const bytes = size === undefined || size === '-1' ? driver.bytes : sizeOf(size);
  const files = count === undefined ? driver.files : Number(count);
  if (bytes <= 0) throw new Fault('invalid', 'max-size must be a positive number');
  if (!Number.isInteger(files) || files < 1) throw new Fault('invalid', `max-file cannot be less than 1, and is ${JSON.stringify(count)}`);
  if (files > mostFiles) throw new Fault('too-large', `max-file ${files} is over the limit of ${mostFiles}`);
  if (compress !== undefined && compress !== 'true' && compress !== 'false') throw new Fault('invalid', `log option compress is true or false, not ${JSON.stringify(compress)}`);
  if (compress === 'true') throw new Fault('not-implemented', 'log option compress=true (--log-opt) is not implemented by Gantry: files of a log are kept as they are');
  return bytes === Infinity ? undefined : { bytes, files };
}

/** Docker's decimal sizes: `10m` is 10,000,000. */
function sizeOf(text: string): number {
  const [, number, unit = ''] = /^([0-9]+(?:\.[0-9]+)?) ?([kmgtp]?)i?b?$/i.exec(text) ?? [];
  if (number === undefined) throw new Fault('invalid', `invalid max-size ${JSON.stringify(text)}: want a number with k, m or g`);
  return Math.floor(Number(number) * 1000 ** ['', 'k', 'm', 'g', 't', 'p'].indexOf(unit.toLowerCase()));
}
