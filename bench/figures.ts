/** A figure as lines of text, with what its goal says of it. */
import type { Summary } from './measure.ts';
import type { Figure, Goal } from './types.ts';

export function lines(figure: Figure): string[] {
  const { subject, unit, values, goal } = figure;
  return Object.entries(values).map(([who, summary]) => {
    const { median, least, most, p99, samples } = summary;
    const range = samples.length === 1 ? '' : `   (${least} to ${most}${samples.length >= 100 || samples.length === 0 ? `, p99 ${p99}` : ''})`;
    const ratio = ratioOf(who, values);
    const compared = ratio ? `   ${ratio.value.toFixed(2)} of ${ratio.peer}` : '';
    const judged = goal && who === (goal.who ?? 'gantry') ? `   ${verdict(goal, summary, ratio?.value, unit.endsWith('/s'))}` : '';
    return `${subject.padEnd(26)}${who.padEnd(18)}${median.toFixed(1).padStart(8)} ${unit}${range}${compared}${judged}`;
  });
}

function ratioOf(who: string, values: Figure['values']): { peer: string; value: number } | undefined {
  const peer = Object.keys(values).find((name) => name === 'dockerd' || name === 'kube-apiserver');
  if (who !== 'gantry' || peer === undefined) return undefined;
  return { peer, value: values[who]!.median / values[peer]!.median };
}

function verdict(goal: Goal, summary: Summary, ratio: number | undefined, moreIsBetter: boolean): string {
  const checks: [string, number | undefined, number | undefined][] = [
    ['ratio', ratio, goal.ratio],
    ['median', summary.median, goal.median],
    ['p99', summary.p99, goal.p99],
  ];
  return checks
    .flatMap(([what, value, bound]) => {
      if (bound === undefined) return [];
      const text = `goal: ${what} ${moreIsBetter ? '>=' : '<='} ${Math.round(bound * 100) / 100}`;
      if (value === undefined) return [`${text}, not judged`];
      return [`${text}, ${(moreIsBetter ? value >= bound : value <= bound) ? 'met' : 'MISSED'}`];
    })
    .join('; ');
}
