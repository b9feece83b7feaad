import { instructionFault } from '../errors.ts';
import { expandWord, splitWords } from '../expand.ts';
import { jsonForm } from '../parse.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, goList, lookupIn, requireArgs } from './shared.ts';

export const volume: InstructionKind = {
  keyword: 'volume',
  step(instruction, context) {
    requireArgs(instruction, context);
    const raw = jsonForm(instruction.args) ?? splitWords(instruction.args, context.escape);
    const paths = raw.map((word) => expandWord(word, lookupIn(context), context.escape));
    if (paths.some((p) => p.trim() === '')) throw instructionFault(context.source, instruction, 'VOLUME specified can not be an empty string');
    return configStep(instruction, context, `VOLUME ${goList(paths)}`, (config) => {
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((p) => [p, {}])) };
    });
  },
};
