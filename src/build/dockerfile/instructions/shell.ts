import { instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, goList } from './shared.ts';

export const shell: InstructionKind = {
  keyword: 'shell',
  step(instruction, context) {
    const words = jsonForm(instruction.args);
    if (!words || words.length === 0) throw instructionFault(context.source, instruction, 'SHELL requires the arguments to be in JSON form: SHELL ["executable", "parameters"]');
    return configStep(instruction, context, `SHELL ${goList(words)}`, (config) => {
      config.Shell = words;
    });
  },
};
