import { instructionFault } from '../errors.ts';
import { expandBody } from '../expand.ts';
import type { CopyChange, FileContext, Instruction, InstructionKind, StepContext } from '../types.ts';
import { absolutePath, expand, listedWords, lookupIn, shellOf } from './shared.ts';

export const copy: InstructionKind = copyKind('copy', ['from', 'chown', 'chmod', 'link', 'exclude']);
export const add: InstructionKind = copyKind('add', ['chown', 'chmod', 'link', 'checksum', 'exclude']);

function copyKind(keyword: 'copy' | 'add', flags: string[]): InstructionKind {
  return {
    keyword,
    json: true,
    flags,
    heredocs: true,
    check: checkCopy,
    step(instruction, context) {
      return { instruction, createdBy: `${shellOf(context.config).join(' ')} #(nop) ${keyword.toUpperCase()}`, change: parseCopy(instruction, context) };
    },
  };
}

function checkCopy(instruction: Instruction, file: FileContext): void {
  const words = listedWords(instruction);
  const keyword = instruction.keyword.toUpperCase();
  if (words.length < 2) throw instructionFault(file.source, instruction, `${keyword} requires at least two arguments, but only one was provided. Destination could not be determined`);
  const target = words.at(-1) ?? '';
  // what is quoted or holds a variable is known only when the step is taken
  if (words.length > 2 && !/["'$]/.test(target)) requireDirectory(target, instruction, file);
}

function namesDirectory(target: string): boolean {
  return /(?:^|\/)\.?$/.test(target);
}

function requireDirectory(target: string, instruction: Instruction, file: FileContext): void {
  if (namesDirectory(target)) return;
  const keyword = instruction.keyword.toUpperCase();
  throw instructionFault(file.source, instruction, `When using ${keyword} with more than one source file, the destination must be a directory and end with a /`);
}

function parseCopy(instruction: Instruction, context: StepContext): CopyChange {
  const lookup = lookupIn(context);
  const words = listedWords(instruction).map((word) => expand(word, context));
  const target = words.at(-1) ?? '';
  const inline = instruction.heredocs.map((h) => ({ name: h.name, body: h.expand ? expandBody(h.body, lookup, context.escape) : h.body }));
  const sources = words.slice(0, -1).filter((w) => !/^\d*<<-?/.test(w));
  if (sources.length + inline.length > 1) requireDirectory(target, instruction, context);
  const flag = (name: string): string | undefined => {
    const value = instruction.flags.findLast((f) => f.name === name)?.value;
    return value === undefined ? undefined : expand(value, context);
  };
  return {
    kind: 'copy',
    add: instruction.keyword === 'add',
    sources,
    inline,
    target: absolutePath(target, context.config) + (namesDirectory(target) ? '/' : ''),
    written: target,
    from: flag('from'),
    chown: flag('chown'),
    chmod: modeOf(flag('chmod'), instruction, context),
    checksum: flag('checksum'),
    exclude: instruction.flags.filter((f) => f.name === 'exclude').map((f) => expand(f.value, context)),
  };
}

function modeOf(text: string | undefined, instruction: Instruction, context: StepContext): number | undefined {
  if (text === undefined) return undefined;
  if (!/^0?[0-7]{1,4}$/.test(text)) throw instructionFault(context.source, instruction, `invalid chmod ${JSON.stringify(text)}: write it in octal, such as 0755`);
  return parseInt(text, 8);
}
