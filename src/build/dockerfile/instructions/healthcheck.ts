import type { HealthConfig } from '#api/oci/image.ts';
import { instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { Instruction, InstructionKind, FileContext } from '../types.ts';
import { configStep } from './shared.ts';

const units: Record<string, number> = { ns: 1, us: 1e3, 'µs': 1e3, ms: 1e6, s: 1e9, m: 60e9, h: 3600e9 };
const durationFlags: Record<string, 'Interval' | 'Timeout' | 'StartPeriod' | 'StartInterval'> = {
  interval: 'Interval',
  timeout: 'Timeout',
  'start-period': 'StartPeriod',
  'start-interval': 'StartInterval',
};

export const healthcheck: InstructionKind = {
  keyword: 'healthcheck',
  flags: [...Object.keys(durationFlags), 'retries'],
  check(instruction, file) {
    parseHealthcheck(instruction, file);
  },
  step(instruction, context) {
    const health = parseHealthcheck(instruction, context);
    return configStep(instruction, context, `HEALTHCHECK ${JSON.stringify(health)}`, (config) => {
      config.Healthcheck = health;
    });
  },
};

function parseHealthcheck(instruction: Instruction, file: FileContext): HealthConfig {
  const match = /^(NONE|CMD)\b\s*([\s\S]*)$/i.exec(instruction.args);
  const type = match?.[1]?.toUpperCase();
  const rest = match?.[2] ?? '';
  if (type === 'NONE') {
    if (rest !== '') throw instructionFault(file.source, instruction, 'HEALTHCHECK NONE takes no arguments');
    return { Test: ['NONE'] };
  }
  if (type === undefined) throw instructionFault(file.source, instruction, `Unknown type ${JSON.stringify(instruction.args.split(/\s/)[0]?.toUpperCase())} in HEALTHCHECK (try CMD)`);
  if (rest === '') throw instructionFault(file.source, instruction, 'Missing command after HEALTHCHECK CMD');
  const words = jsonForm(rest);
  const health: HealthConfig = { Test: words ? ['CMD', ...words] : ['CMD-SHELL', rest] };
  for (const flag of instruction.flags) {
    const field = durationFlags[flag.name];
    if (field) health[field] = nanoseconds(flag.value, flag.name, instruction, file);
    else health.Retries = retries(flag.value, instruction, file);
  }
  return health;
}

function retries(text: string, instruction: Instruction, file: FileContext): number {
  if (!/^[1-9]\d{0,8}$/.test(text)) throw instructionFault(file.source, instruction, `--retries must be at least 1 (not ${text})`);
  return Number(text);
}

/** Go's duration form, `1m30s`. */
function nanoseconds(text: string, flag: string, instruction: Instruction, file: FileContext): number {
  const parts = [...text.matchAll(/(\d+(?:\.\d+)?)(ns|us|µs|ms|s|m|h)/g)];
  if (parts.length === 0 || parts.map((p) => p[0]).join('') !== text) {
    throw instructionFault(file.source, instruction, `invalid duration ${JSON.stringify(text)} for --${flag}: write it as 30s or 1m30s`);
  }
  const total = parts.reduce((sum, p) => sum + Number(p[1]) * (units[p[2] ?? ''] ?? 0), 0);
  if (total !== 0 && total < 1e6) throw instructionFault(file.source, instruction, `--${flag} cannot be less than 1ms`);
  return total;
}
