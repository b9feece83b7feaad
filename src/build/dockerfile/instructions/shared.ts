import type { ContainerConfig, ImageConfig } from '#api/oci/image.ts';
import { expandWord, type Lookup } from '../expand.ts';
import { instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { Instruction, Step, StepContext } from '../types.ts';

export const defaultShell: readonly string[] = ['/bin/sh', '-c'];
export const defaultPath = 'PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin';

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

/** Arguments in exec form as they are, in shell form behind the shell. */
export function commandOf(instruction: Instruction, context: StepContext): string[] {
  return jsonForm(instruction.args) ?? [...shellOf(context.config), instruction.args];
}

export function requireArgs(instruction: Instruction, context: StepContext): void {
  if (instruction.args !== '') return;
  throw instructionFault(context.source, instruction, `${instruction.keyword.toUpperCase()} requires at least one argument`);
}

/** As Go prints a string list in history entries: `["a" "b"]`. */
export function goList(values: readonly string[]): string {
  return `[${values.map((v) => JSON.stringify(v)).join(' ')}]`;
}

/** `name=value` pairs, or the old `name value` form, each expanded. */
export function pairs(instruction: Instruction, context: StepContext, words: readonly string[]): [string, string][] {
  const first = words[0] ?? '';
  if (!first.includes('=')) {
    if (words.length < 2) {
      const keyword = instruction.keyword.toUpperCase();
      throw instructionFault(context.source, instruction, `${keyword} must have two arguments: write it as ${keyword} ${first || 'name'}=value`);
    }
    const value = instruction.args.slice(instruction.args.indexOf(first) + first.length).trim();
    return [[expand(first, context), expand(value, context)]];
  }
  return words.map((word) => {
    const at = word.indexOf('=');
    if (at < 0) throw instructionFault(context.source, instruction, `Syntax error - can't find = in ${JSON.stringify(word)}. Must be of the form: name=value`);
    const name = expand(word.slice(0, at), context);
    if (name === '') throw instructionFault(context.source, instruction, `${instruction.keyword.toUpperCase()} names can not be blank`);
    return [name, expand(word.slice(at + 1), context)];
  });
}

/** A path joined to the working directory. */
export function absolutePath(path: string, config: ImageConfig): string {
  if (path.startsWith('/')) return path;
  const cwd = config.config?.WorkingDir || '/';
  return cwd.endsWith('/') ? cwd + path : `${cwd}/${path}`;
}
