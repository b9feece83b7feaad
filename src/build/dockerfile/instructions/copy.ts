import { instructionFault } from '../errors.ts';
import { expandBody, expandWord, splitWords } from '../expand.ts';
import { jsonForm } from '../parse.ts';
import type { CopyChange, Instruction, InstructionKind, StepContext } from '../types.ts';
import { absolutePath, expand, lookupIn, shellOf } from './shared.ts';

export const copy: InstructionKind = copyKind('copy', ['from', 'chown', 'chmod', 'link', 'exclude']);
export const add: InstructionKind = copyKind('add', ['chown', 'chmod', 'link', 'checksum', 'exclude']);

function copyKind(keyword: 'copy' | 'add', flags: string[]): InstructionKind {
  return {
    keyword,
    flags,
    heredocs: true,
    step(instruction, context) {
      const change = parseCopy(instruction, context);
      const shown = [...change.sources, ...change.inline.map((i) => i.name)].join(' ');
      const from = change.from === undefined ? '' : ` --from=${change.from}`;
      const createdBy = `${shellOf(context.config).join(' ')} #(nop) ${keyword.toUpperCase()}${from} ${shown} in ${change.target} `;
      return { instruction, createdBy, change };
    },
  };
}

function parseCopy(instruction: Instruction, context: StepContext): CopyChange {
  const lookup = lookupIn(context);
  const raw = jsonForm(instruction.args) ?? splitWords(instruction.args, context.escape);
  const words = raw.map((word) => expandWord(word, lookup, context.escape));
  const keyword = instruction.keyword.toUpperCase();
  if (words.length < 2) throw instructionFault(context.source, instruction, `${keyword} requires at least two arguments, but only ${words.length} was provided. Destination could not be determined`);
  const target = words.at(-1) ?? '';
  const inline = instruction.heredocs.map((h) => ({ name: h.name, body: h.expand ? expandBody(h.body, lookup, context.escape) : h.body }));
  const sources = words.slice(0, -1).filter((w) => !/^\d*<<-?/.test(w));
  if (sources.length + inline.length > 1 && !target.endsWith('/')) {
    throw instructionFault(context.source, instruction, `When using ${keyword} with more than one source file, the destination must be a directory and end with a /`);
  }
  const flag = (name: string): string | undefined => {
    const value = instruction.flags.findLast((f) => f.name === name)?.value;
    return value === undefined ? undefined : expand(value, context);
  };
  return {
    kind: 'copy',
    add: instruction.keyword === 'add',
    sources,
    inline,
    target: absolutePath(target, context.config),
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
