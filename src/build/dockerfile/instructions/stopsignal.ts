import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, expand, requireArgs } from './shared.ts';

export const stopsignal: InstructionKind = {
  keyword: 'stopsignal',
  step(instruction, context) {
    requireArgs(instruction, context);
    const signal = expand(instruction.args, context);
    if (!/^(?:\d{1,2}|(?:SIG)?[A-Z][A-Z0-9+-]*)$/i.test(signal)) throw instructionFault(context.source, instruction, `Invalid signal: ${signal}`);
    return configStep(instruction, context, `STOPSIGNAL ${signal}`, (config) => {
      config.StopSignal = signal;
    });
  },
};
