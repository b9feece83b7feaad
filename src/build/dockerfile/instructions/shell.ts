import { instructionFault } from '../errors.ts';
import { jsonForm } from '../parse.ts';
import type { InstructionKind } from '../types.ts';
import { configStep } from './shared.ts';

export const shell: InstructionKind = {
  keyword: 'shell',
  json: true,
  check(instruction, file) {
    if (!jsonForm(instruction.args)?.length) throw instructionFault(file.source, instruction, 'SHELL requires the arguments to be in JSON form: SHELL ["executable", "parameters"]');
  },
  step(instruction, context) {
    const words = jsonForm(instruction.args) ?? [];
    const step = configStep(instruction, context, '', (config) => {
      config.Shell = words;
    });
    return { ...step, createdBy: `${words.join(' ')} #(nop)  SHELL [${words.join(' ')}]` };
  },
};
