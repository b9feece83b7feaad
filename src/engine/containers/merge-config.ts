/** A container's config: what was asked, completed by the image's defaults. */
import { hostname } from 'node:os';
import type { CreateRequest } from '#api/docker/containers.ts';
import type { ContainerConfig, HealthConfig } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import { parseSignal } from '../signals.ts';

const shortestHealthNanos = 1_000_000;

export function mergeConfig(request: CreateRequest, image: ContainerConfig, id: string): ContainerConfig {
  const { HostConfig: _host, NetworkingConfig: _networking, ...asked } = request;
  const entrypointGiven = (asked.Entrypoint ?? null) !== null;
  // `--entrypoint ""` clears the image's, and comes as one empty string
  const cleared = asked.Entrypoint?.length === 1 && asked.Entrypoint[0] === '';
  const entrypoint = cleared ? null : entrypointGiven ? asked.Entrypoint : (image.Entrypoint ?? null);
  const cmdGiven = (asked.Cmd?.length ?? 0) > 0;
  const config: ContainerConfig = {
    Hostname: asked.Hostname || (request.HostConfig?.NetworkMode === 'host' ? hostname() : id.slice(0, 12)),
    Domainname: asked.Domainname ?? '',
    User: asked.User || image.User || '',
    AttachStdin: asked.AttachStdin ?? false,
    AttachStdout: asked.AttachStdout ?? false,
    AttachStderr: asked.AttachStderr ?? false,
    ...withEntries('ExposedPorts', { ...image.ExposedPorts, ...asked.ExposedPorts }),
    Tty: asked.Tty ?? false,
    OpenStdin: asked.OpenStdin ?? false,
    StdinOnce: asked.StdinOnce ?? false,
    Env: mergeEnv(image.Env ?? [], asked.Env ?? []),
    Cmd: cmdGiven ? asked.Cmd : entrypointGiven ? null : (image.Cmd ?? null),
    Image: asked.Image ?? '',
    Volumes: nullIfEmpty({ ...image.Volumes, ...asked.Volumes }),
    WorkingDir: asked.WorkingDir || image.WorkingDir || '',
    Entrypoint: entrypoint ?? null,
    OnBuild: asked.OnBuild ?? null,
    Labels: { ...image.Labels, ...asked.Labels },
    ...optional('MacAddress', asked.MacAddress),
    ...optional('NetworkDisabled', asked.NetworkDisabled || undefined),
    ...optional('StopSignal', asked.StopSignal || image.StopSignal),
    ...optional('StopTimeout', asked.StopTimeout ?? image.StopTimeout),
    ...optional('Healthcheck', mergeHealth(asked.Healthcheck, image.Healthcheck)),
    ...optional('Shell', asked.Shell ?? image.Shell),
  };
  check(config);
  return config;
}

function check(config: ContainerConfig): void {
  if ((config.Entrypoint ?? []).length + (config.Cmd ?? []).length === 0) throw new Fault('invalid', 'no command specified');
  if (config.WorkingDir && !config.WorkingDir.startsWith('/')) {
    throw new Fault('invalid', `the working directory '${config.WorkingDir}' is invalid, it needs to be an absolute path`);
  }
  if (config.StopSignal) parseSignal(config.StopSignal);
  for (const entry of config.Env ?? []) {
    if (entry === '' || entry.startsWith('=')) throw new Fault('invalid', `invalid environment variable: ${entry}`);
  }
  for (const port of Object.keys(config.ExposedPorts ?? {})) parseExposed(port);
  if ((config.Hostname ?? '').length > 63 && !config.Hostname?.includes('.')) throw new Fault('invalid', `invalid hostname: ${config.Hostname}: at most 63 characters`);
  checkWord('hostname', config.Hostname ?? '');
  checkWord('domainname', config.Domainname ?? '');
  checkHealth(config.Healthcheck);
}

/** What becomes part of a line of `/etc/hosts` or `/etc/resolv.conf` must not bring blanks or lines of its own. */
export function checkWord(what: string, text: string): void {
  if (/[\s\p{Cc}]/u.test(text)) throw new Fault('invalid', `invalid ${what}: ${JSON.stringify(text)} holds a blank or a line break`);
}

/** `80/tcp`, `80`, `53/udp`. */
export function parseExposed(text: string): { port: number; protocol: string } {
  const match = /^(\d+)(?:\/(\w+))?$/.exec(text);
  const port = Number(match?.[1]);
  const protocol = (match?.[2] ?? 'tcp').toLowerCase();
  if (!match || port < 1 || port > 65535 || !['tcp', 'udp', 'sctp'].includes(protocol)) {
    throw new Fault('invalid', `invalid port specification: "${text}"`);
  }
  return { port, protocol };
}

/** The image's, in its order, replaced and completed by name. A bare name asks to leave that variable out. */
export function mergeEnv(image: readonly string[], asked: readonly string[]): string[] {
  const nameOf = (entry: string): string => entry.split('=', 1)[0] ?? '';
  const names = new Set(asked.map(nameOf));
  return [...image.filter((entry) => !names.has(nameOf(entry))), ...asked];
}

function mergeHealth(asked: HealthConfig | undefined, image: HealthConfig | undefined): HealthConfig | undefined {
  if (!asked) return image;
  if (!image) return asked;
  return {
    Test: asked.Test?.length ? asked.Test : image.Test,
    Interval: asked.Interval || image.Interval,
    Timeout: asked.Timeout || image.Timeout,
    StartPeriod: asked.StartPeriod || image.StartPeriod,
    StartInterval: asked.StartInterval || image.StartInterval,
    Retries: asked.Retries || image.Retries,
  };
}

function checkHealth(health: HealthConfig | undefined): void {
  if (!health) return;
  for (const [name, value] of Object.entries({ Interval: health.Interval, Timeout: health.Timeout, StartPeriod: health.StartPeriod, StartInterval: health.StartInterval })) {
    if (value !== undefined && value !== 0 && value < shortestHealthNanos) throw new Fault('invalid', `${name} in Healthcheck cannot be less than 1ms`);
  }
  if ((health.Retries ?? 0) < 0) throw new Fault('invalid', 'Retries in Healthcheck cannot be negative');
  const kind = health.Test?.[0];
  if (kind !== undefined && !['', 'NONE', 'CMD', 'CMD-SHELL'].includes(kind)) throw new Fault('invalid', `Unknown healthcheck test type: "${kind}"`);
}

function optional<K extends keyof ContainerConfig>(key: K, value: ContainerConfig[K] | undefined): Partial<ContainerConfig> {
  return value === undefined ? {} : { [key]: value };
}

function withEntries<K extends keyof ContainerConfig>(key: K, value: ContainerConfig[K] & object): Partial<ContainerConfig> {
  return Object.keys(value).length === 0 ? {} : { [key]: value };
}

function nullIfEmpty<T extends object>(value: T): T | null {
  return Object.keys(value).length === 0 ? null : value;
}
