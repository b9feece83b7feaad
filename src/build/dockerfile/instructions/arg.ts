import { instructionFault } from '../errors.ts';
import { splitWords } from '../expand.ts';
import type { FileContext, Instruction, InstructionKind } from '../types.ts';
import { configStep, expand } from './shared.ts';

export const arg: InstructionKind = {
  keyword: 'arg',
  check(instruction, file) {
    declarations(instruction, file);
  },
  step(instruction, context) {
    // all are expanded before the first is in scope
    const declared = declarations(instruction, context).map(({ name, value }) => ({ name, value: value === undefined ? undefined : expand(value, context) }));
    for (const { name, value } of declared) context.declareArg(name, value);
    const shown = declared.map(({ name, value }) => (value === undefined ? name : `${name}=${value}`)).join(' ');
    return configStep(instruction, context, `ARG ${shown}`, () => {});
  },
};

function declarations(instruction: Instruction, file: FileContext): { name: string; value?: string }[] {
  return splitWords(instruction.args, file.escape).map((word) => {
    const at = word.indexOf('=');
    const name = at < 0 ? word : word.slice(0, at);
    if (!/^[A-Za-z_]\w*$/.test(name)) throw instructionFault(file.source, instruction, `invalid ARG name ${JSON.stringify(name)}: use letters, digits and _`);
    return { name, value: at < 0 ? undefined : word.slice(at + 1) };
  });
}
