/** `--change` of commit and import: the few Dockerfile instructions that only touch the config. */
import type { ContainerConfig } from '#api/oci/image.ts';
import { Fault } from '#lib/errors.ts';
import { parseSignal } from '../signals.ts';

type Apply = (config: ContainerConfig, rest: string, line: string) => ContainerConfig;

const instructions: Record<string, Apply> = {
  CMD: (config, rest) => ({ ...config, Cmd: command(config, rest) }),
  ENTRYPOINT: (config, rest) => ({ ...config, Entrypoint: command(config, rest) }),
  ENV: (config, rest, line) => {
    const pairs = keyValues(rest, line);
    const names = pairs.map(([name]) => name);
    const kept = (config.Env ?? []).filter((entry) => !names.includes(entry.split('=', 1)[0] ?? ''));
    return { ...config, Env: [...kept, ...pairs.map(([name, value]) => `${name}=${value}`)] };
  },
  LABEL: (config, rest, line) => ({ ...config, Labels: { ...config.Labels, ...Object.fromEntries(keyValues(rest, line)) } }),
  EXPOSE: (config, rest) => ({ ...config, ExposedPorts: { ...config.ExposedPorts, ...keys(words(rest).map((p) => (p.includes('/') ? p : `${p}/tcp`))) } }),
  VOLUME: (config, rest) => ({ ...config, Volumes: { ...config.Volumes, ...keys(jsonList(rest) ?? words(rest)) } }),
  USER: (config, rest) => ({ ...config, User: rest }),
  WORKDIR: (config, rest, line) => {
    if (!rest.startsWith('/')) throw new Fault('invalid', `${line}: the directory must be absolute here`);
    return { ...config, WorkingDir: rest };
  },
  STOPSIGNAL: (config, rest) => {
    parseSignal(rest);
    return { ...config, StopSignal: rest };
  },
  ONBUILD: (config, rest) => ({ ...config, OnBuild: [...(config.OnBuild ?? []), rest] }),
};

export function applyChanges(config: ContainerConfig, changes: readonly string[]): ContainerConfig {
  return changes
    .map((line) => line.trim())
    .filter((line) => line !== '')
    .reduce((current, line) => {
      const [, name = '', rest = ''] = /^(\S+)\s*(.*)$/s.exec(line) ?? [];
      const apply = instructions[name.toUpperCase()];
      if (!apply) throw new Fault('invalid', `${name} is not a valid change command`);
      if (rest === '') throw new Fault('invalid', `${name} requires at least one argument`);
      return apply(current, rest, line);
    }, config);
}

function jsonList(text: string): string[] | undefined {
  if (!text.trim().startsWith('[')) return undefined;
  try {
    const value: unknown = JSON.parse(text);
    if (Array.isArray(value) && value.every((v): v is string => typeof v === 'string')) return value;
  } catch {
    // not JSON: the shell form
  }
  return undefined;
}

function command(config: ContainerConfig, rest: string): string[] {
  return jsonList(rest) ?? [...(config.Shell ?? ['/bin/sh', '-c']), rest];
}

function keys(names: readonly string[]): Record<string, Record<string, never>> {
  return Object.fromEntries(names.map((name) => [name, {}]));
}

/** Words, with quotes taken off. */
function words(text: string): string[] {
  const found = text.match(/(?:[^\s"']+|"(?:[^"\\]|\\.)*"|'[^']*')+/g) ?? [];
  return found.map((word) => word.replace(/"((?:[^"\\]|\\.)*)"|'([^']*)'/g, (_all, double: string | undefined, single: string | undefined) => (double === undefined ? (single ?? '') : double.replace(/\\(.)/g, '$1'))));
}

/** `name=value …`, or `name the rest`. */
function keyValues(rest: string, line: string): [string, string][] {
  const list = words(rest);
  if (!(list[0] ?? '').includes('=')) {
    const match = /^(\S+)\s+(.+)$/s.exec(rest);
    if (!match) throw new Fault('invalid', `${line}: must have a name and a value`);
    return [[match[1] ?? '', match[2] ?? '']];
  }
  return list.map((word) => {
    const at = word.indexOf('=');
    if (at < 1) throw new Fault('invalid', `${line}: "${word}" must be name=value`);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}
