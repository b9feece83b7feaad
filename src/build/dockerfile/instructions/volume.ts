import { instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep, expand, listedWords } from './shared.ts';

export const volume: InstructionKind = {
  keyword: 'volume',
  json: true,
  step(instruction, context) {
    const paths = listedWords(instruction).map((word) => expand(word, context));
    if (paths.some((p) => p.trim() === '')) throw instructionFault(context.source, instruction, 'VOLUME specified can not be an empty string');
    return configStep(instruction, context, `VOLUME [${paths.join(' ')}]`, (config) => {
      config.Volumes = { ...config.Volumes, ...Object.fromEntries(paths.map((p) => [p, {}])) };
    });
  },
};
