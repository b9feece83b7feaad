import { didYouMean, instructionFault } from '../errors.ts';
import type { InstructionKind } from '../types.ts';
import { configStep } from './shared.ts';

export const onbuild: InstructionKind = {
  keyword: 'onbuild',
  check(instruction, file) {
    const word = /^\S+/.exec(instruction.args)?.[0] ?? '';
    const keyword = word.toUpperCase();
    if (!file.keywords.has(word.toLowerCase())) throw instructionFault(file.source, instruction, `unknown instruction: ${word}${didYouMean(word, [...file.keywords].map((k) => k.toUpperCase()))}`, word);
    if (['ONBUILD', 'FROM', 'MAINTAINER'].includes(keyword)) {
      throw instructionFault(file.source, instruction, keyword === 'ONBUILD' ? "Chaining ONBUILD via `ONBUILD ONBUILD` isn't allowed" : `${keyword} isn't allowed as an ONBUILD trigger`);
    }
  },
  step(instruction, context) {
    return configStep(instruction, context, `ONBUILD ${instruction.args}`, (config) => {
      config.OnBuild = [...(config.OnBuild ?? []), instruction.args];
    });
  },
};
