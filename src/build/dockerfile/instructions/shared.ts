import type { ContainerConfig, ImageConfig } from '#api/oci/image.ts';
import type { Fault } from '#lib/errors.ts';
import { expandWord, splitWords, type Lookup } from '../expand.ts';
import { instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { FileContext, Instruction, Step, StepContext } from '../types.ts';

export const defaultShell: readonly string[] = ['/bin/sh', '-c'];

/** The container defaults of an image, made where there are none. */
export function containerConfig(config: ImageConfig): ContainerConfig {
  return (config.config ??= {});
}

/** The environment as a map, newest value of a name last. */
export function envMap(config: ImageConfig): Map<string, string> {
  const map = new Map<string, string>();
  for (const entry of config.config?.Env ?? []) {
    const at = entry.indexOf('=');
    map.set(at < 0 ? entry : entry.slice(0, at), at < 0 ? '' : entry.slice(at + 1));
  }
  return map;
}

/** What `$name` means at an instruction: ENV first, then ARG. */
export function lookupIn(context: StepContext): Lookup {
  const env = envMap(context.config);
  return (name) => env.get(name) ?? context.args.get(name);
}

export function expand(text: string, context: StepContext): string {
  return expandWord(text, lookupIn(context), context.escape);
}

/** A step that only changes the config, in classic Docker's history form. */
export function configStep(instruction: Instruction, context: StepContext, shown: string, configure: (config: ContainerConfig) => void): Step {
  return {
    instruction,
    createdBy: `${shellOf(context.config).join(' ')} #(nop)  ${shown}`,
    configure: (config) => configure(containerConfig(config)),
  };
}

export function shellOf(config: ImageConfig): readonly string[] {
  const shell = config.config?.Shell;
  return shell && shell.length > 0 ? shell : defaultShell;
}

/** Arguments in exec form as they are, in shell form behind the shell; none is the shell alone. */
export function commandOf(instruction: Instruction, context: StepContext): string[] {
  const shell = shellOf(context.config);
  return jsonForm(instruction.args) ?? (instruction.args === '' ? [...shell] : [...shell, instruction.args]);
}

/** The words of a JSON list, or those between blanks: quotes do not join words here (Dockerfile reference, COPY). */
export function listedWords(instruction: Instruction): string[] {
  return jsonForm(instruction.args) ?? instruction.args.split(/\s+/).filter((word) => word !== '');
}

/** As Go prints a string list in history entries: `["a" "b"]`. */
export function goList(values: readonly string[]): string {
  return `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;
}

/** `name=value` pairs, or the old `name value` form, as they are written. */
function writtenPairs(instruction: Instruction, file: FileContext): [string, string][] {
  const words = splitWords(instruction.args, file.escape);
  const first = words[0] ?? '';
  if (!first.includes('=')) {
    if (words.length < 2) {
      const keyword = instruction.keyword.toUpperCase();
      throw instructionFault(file.source, instruction, `${keyword} must have two arguments: write it as ${keyword} ${first || 'name'}=value`);
    }
    return [[first, instruction.args.slice(instruction.args.indexOf(first) + first.length).trim()]];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 0) throw instructionFault(file.source, instruction, `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    if (at === 0) throw blankName(instruction, file);
    return [word.slice(0, at), word.slice(at + 1)];
  });
}

function blankName(instruction: Instruction, file: FileContext): Fault {
  return instructionFault(file.source, instruction, `${instruction.keyword.toUpperCase()} names can not be blank`);
}

export function checkPairs(instruction: Instruction, file: FileContext): void {
  for (const text of writtenPairs(instruction, file).flat()) expandWord(text, () => 'any', file.escape);
}

/** The pairs of ENV and LABEL, expanded. */
export function pairs(instruction: Instruction, context: StepContext): [string, string][] {
  return writtenPairs(instruction, context).map(([name, value]) => {
    const expanded = expand(name, context);
    if (expanded === '') throw blankName(instruction, context);
    return [expanded, expand(value, context)];
  });
}

/** A path joined to the working directory. */
export function absolutePath(path: string, config: ImageConfig): string {
  if (path.startsWith('/')) return path;
  const cwd = config.config?.WorkingDir || '/';
  return cwd.endsWith('/') ? cwd + path : `${cwd}/${path}`;
}
