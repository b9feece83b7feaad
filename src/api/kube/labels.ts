/** Label selectors: the text of a query (`app=web,tier in (a, b),!old`), and the object in a spec. */
import { Fault } from '#lib/errors.ts';
import { labelValueErrors, qualifiedNameErrors } from './names.ts';
import type { LabelSelector } from './types.ts';

export type LabelOperator = '=' | '!=' | 'in' | 'notin' | 'exists' | '!' | '>' | '<';

export interface LabelRequirement {
  key: string;
  operator: LabelOperator;
  values: readonly string[];
}

/** All must hold; an empty list matches everything. */
export type ParsedLabelSelector = readonly LabelRequirement[];

export type Labels = { readonly [key: string]: string };

/** Requirements in one selector. */
const maxRequirements = 1000;

export function matchesLabels(selector: ParsedLabelSelector, labels: Labels | undefined): boolean {
  return selector.every((requirement) => matchesOne(requirement, labels ?? {}));
}

function matchesOne({ key, operator, values }: LabelRequirement, labels: Labels): boolean {
  const value = Object.hasOwn(labels, key) ? labels[key] : undefined;
  switch (operator) {
    case 'exists': return value !== undefined;
    case '!': return value === undefined;
    case '=':
    case 'in': return value !== undefined && values.includes(value);
    case '!=':
    case 'notin': return value === undefined || !values.includes(value);
    default: {
      if (value === undefined || !/^[+-]?\d+$/.test(value)) return false;
      const [number, bound] = [BigInt(value), BigInt(values[0] ?? '0')];
      return operator === '>' ? number > bound : number < bound;
    }
  }
}

/** Throws `invalid` with the API's text. */
export function parseLabelSelector(text: string): ParsedLabelSelector {
  const tokens = tokenize(text);
  const requirements: LabelRequirement[] = [];
  let at = 0;
  const peek = (): string => tokens[at] ?? '';
  const take = (): string => tokens[at++] ?? '';
  const expected = (what: string): Fault => new Fault('invalid', `unable to parse requirement: found '${tokens[at - 1] ?? ''}', expected: ${what}`);
  const between = (what: string): Fault => new Fault('invalid', `found '${tokens[at - 1] ?? ''}', expected: ${what}`);
  const operand = (): string => {
    if (peek() === '' || peek() === ',') return '';
    const value = take();
    if (isSymbol(value)) throw expected('identifier');
    return value;
  };
  while (at < tokens.length) {
    if (requirements.length >= maxRequirements) throw new Fault('too-large', `the selector has more than ${maxRequirements} requirements`);
    const negated = peek() === '!' && take() === '!';
    const key = take();
    if (isSymbol(key) || key === '') throw negated ? expected('identifier') : between("!, identifier, or 'end of string'");
    const operator = negated || peek() === '' || peek() === ',' ? '' : take();
    if (operator === '') requirements.push(requirement(key, negated ? '!' : 'exists', []));
    else if (operator === '=' || operator === '==') requirements.push(requirement(key, '=', [operand()]));
    else if (operator === '!=') requirements.push(requirement(key, '!=', [operand()]));
    else if (operator === '>' || operator === '<') requirements.push(requirement(key, operator, [operand()]));
    else if (operator === 'in' || operator === 'notin') requirements.push(requirement(key, operator, takeValues(peek, take, expected)));
    else throw expected("in, notin, =, ==, !=, gt, lt");
    if (peek() !== '' && take() !== ',') throw between("',' or 'end of string'");
    if (at === tokens.length && tokens.at(-1) === ',') throw new Fault('invalid', "found '', expected: identifier after ','");
  }
  return requirements;
}

function takeValues(peek: () => string, take: () => string, expected: (what: string) => Fault): string[] {
  if (take() !== '(') throw expected("'('");
  const values: string[] = [];
  for (;;) {
    values.push(isSymbol(peek()) ? '' : take());
    const next = take();
    if (next === ')') return values;
    if (next !== ',') throw expected("',', or ')'");
  }
}

function isSymbol(token: string): boolean {
  return ['!', '=', '==', '!=', '>', '<', '(', ')', ','].includes(token);
}

function tokenize(text: string): string[] {
  return [...text.matchAll(/\s+|==|!=|[!=<>(),]|[^\s!=<>(),]+/g)].map(([token]) => token).filter((token) => token.trim() !== '');
}

function requirement(key: string, operator: LabelOperator, values: string[]): LabelRequirement {
  const [keyError] = qualifiedNameErrors(key);
  if (keyError !== undefined) throw invalidValue('key', key, keyError);
  for (const [index, value] of values.entries()) {
    if ((operator === '>' || operator === '<') && !/^[+-]?\d+$/.test(value)) {
      throw invalidValue(`values[${index}]`, value, 'for \'Gt\', \'Lt\' operators, the value must be an integer');
    }
    const [error] = labelValueErrors(value);
    if (error !== undefined) throw invalidValue(`values[${index}][${key}]`, value, error);
  }
  return { key, operator, values };
}

function invalidValue(field: string, value: string, error: string): Fault {
  return new Fault('invalid', `unable to parse requirement: ${field}: Invalid value: ${JSON.stringify(value)}: ${error}`);
}

/** In the form that `parseLabelSelector` reads. */
export function formatLabelSelector(selector: ParsedLabelSelector): string {
  return selector.map(({ key, operator, values }) => {
    if (operator === 'exists') return key;
    if (operator === '!') return `!${key}`;
    if (operator === 'in' || operator === 'notin') return `${key} ${operator} (${[...values].sort().join(',')})`;
    return `${key}${operator}${values[0] ?? ''}`;
  }).join(',');
}

/** A plain map of labels, all of which must be there, as a selector. */
export function selectorOfMap(map: Labels | undefined): ParsedLabelSelector {
  return Object.keys(map ?? {}).sort().map((key) => ({ key, operator: '=', values: [map?.[key] ?? ''] }));
}

const operators: Record<string, LabelOperator> = { In: 'in', NotIn: 'notin', Exists: 'exists', DoesNotExist: '!' };

/**
 * A spec's selector object. An absent one selects nothing (undefined); an empty one selects everything.
 * Throws `invalid` where an operator is not known (which validation refuses).
 */
export function selectorOfObject(selector: LabelSelector | undefined): ParsedLabelSelector | undefined {
  if (selector === undefined) return undefined;
  const expressions = (selector.matchExpressions ?? []).map(({ key, operator, values }): LabelRequirement => {
    const known = operators[operator];
    if (known === undefined) throw new Fault('invalid', `"${operator}" is not a valid label selector operator`);
    return { key, operator: known, values: values ?? [] };
  });
  return [...selectorOfMap(selector.matchLabels), ...expressions];
}
