import { constants } from 'node:os';
import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, expand } from './shared.ts';

/** A number, or a name with or without SIG; the real-time ones are counted from either end. */
function isSignal(text: string): boolean {
  if (/^\d+$/.test(text)) return Number(text) >= 1 && Number(text) <= 64;
  const name = text.toUpperCase().replace(/^SIG/, '');
  return `SIG${name}` in constants.signals || /^(?:RTMIN(?:\+(?:\d|1[0-5]))?|RTMAX(?:-(?:\d|1[0-4]))?)$/.test(name);
}

export const stopsignal: InstructionKind = {
  keyword: 'stopsignal',
  single: true,
  step(instruction, context) {
    const signal = expand(instruction.args, context);
    if (!isSignal(signal)) throw instructionFault(context.source, instruction, `Invalid signal: ${signal}`);
    return configStep(instruction, context, `STOPSIGNAL ${signal}`, (config) => {
      config.StopSignal = signal;
    });
  },
};
