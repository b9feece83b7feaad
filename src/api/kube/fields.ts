/** Field selectors: `metadata.name=web,status.phase!=Running`. Only equality; the kind says which fields there are. */
import { Fault } from '#lib/errors.ts';

export interface FieldRequirement {
  field: string;
  operator: '=' | '!=';
  value: string;
}

export type ParsedFieldSelector = readonly FieldRequirement[];

/** Requirements in one selector. */
const maxRequirements = 1000;

/** Throws `invalid` with the API's text. */
export function parseFieldSelector(text: string): ParsedFieldSelector {
  const terms = splitTerms(text).filter((term) => term !== '');
  if (terms.length > maxRequirements) throw new Fault('too-large', `the selector has more than ${maxRequirements} requirements`);
  return terms.map((term) => {
    const match = /^(.*?)(!=|==|=)(.*)$/s.exec(term);
    if (match === null) throw new Fault('invalid', `invalid selector: '${text}'; can't understand '${term}'`);
    const [, field = '', operator, value = ''] = match;
    return { field, operator: operator === '!=' ? '!=' : '=', value: unescapeValue(value) };
  });
}

/** @param fields the object's selectable values; a field that is not among them never has the value asked for */
export function matchesFields(selector: ParsedFieldSelector, fields: { readonly [field: string]: string }): boolean {
  return selector.every(({ field, operator, value }) => ((fields[field] ?? '') === value) === (operator === '='));
}

function splitTerms(text: string): string[] {
  const terms: string[] = [];
  let term = '';
  for (let at = 0; at < text.length; at += 1) {
    const character = text.charAt(at);
    if (character === '\\') {
      term += text.slice(at, at + 2);
      at += 1;
    } else if (character === ',') {
      terms.push(term);
      term = '';
    } else term += character;
  }
  return [...terms, term];
}

function unescapeValue(value: string): string {
  const bare = /(?:^|[^\\])(?:\\\\)*([=,])/.exec(value)?.[1];
  if (bare !== undefined) throw new Fault('invalid', `invalid field selector: unescaped character in value: ${bare}`);
  return value.replaceAll(/\\(.)/gs, (whole, character: string) => {
    if ('\\,='.includes(character)) return character;
    throw new Fault('invalid', `invalid field selector: invalid escape sequence: ${whole}`);
  });
}
