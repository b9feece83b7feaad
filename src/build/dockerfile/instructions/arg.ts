import { instructionFault } from '../errors.ts';
import { splitWords } from '../expand.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, expand, requireArgs } from './shared.ts';

export const arg: InstructionKind = {
  keyword: 'arg',
  step(instruction, context) {
    requireArgs(instruction, context);
    for (const word of splitWords(instruction.args, context.escape)) {
      const at = word.indexOf('=');
      const name = at < 0 ? word : word.slice(0, at);
      if (!/^[A-Za-z_]\w*$/.test(name)) throw instructionFault(context.source, instruction, `invalid ARG name ${JSON.stringify(name)}: use letters, digits and _`);
      context.declareArg(name, at < 0 ? undefined : expand(word.slice(at + 1), context));
    }
    return configStep(instruction, context, `ARG ${instruction.args}`, () => {});
  },
};
