/**
 * YAML bodies as JSON values, read as Go's clients read them: `yes` and `on` are booleans, `0644` is octal,
 * dates stay texts. Aliases are bounded, so that a small text cannot become a huge object.
 */
import { type Document, type Tags, Lexer, LineCounter, isAlias, isMap, isPair, isScalar, isSeq, parseDocument } from 'yaml';
import { Fault } from '#lib/errors.ts';
import { checkNesting, maxNesting, tooDeep } from './nesting.ts';

const maxAliases = 100;
/** Tokens in one text: reading a token takes microseconds, in which nobody else is served. A scalar of any length is a few. */
const maxTokens = 250_000;

const unwanted = new Set(['timestamp', 'binary', 'omap', 'pairs', 'set']);

const options = {
  version: '1.1',
  schema: 'yaml-1.1',
  merge: true,
  uniqueKeys: false,
  customTags: (tags: Tags): Tags =>
    tags.filter((tag) => typeof tag === 'string' || (!unwanted.has(tag.tag.replace('tag:yaml.org,2002:', '')) && tag.format !== 'TIME')),
} as const;

/** The one document of `text` as a JSON value. Throws `invalid` with the line. */
export function parseYaml(text: string): unknown {
  checkTokens(text);
  return toJson(parseDocument(text, options));
}

/** The same, and the keys that are given twice, as strict decoding names them. */
export function parseYamlStrict(text: string): { value: unknown; duplicates: string[] } {
  checkTokens(text);
  const lines = new LineCounter();
  const document = parseDocument(text, { ...options, lineCounter: lines });
  return { value: toJson(document), duplicates: duplicatesOf(document.contents, lines) };
}

function duplicatesOf(contents: unknown, lines: LineCounter): string[] {
  const found: { at: number; key: string }[] = [];
  const pending: unknown[] = [contents];
  for (let node = pending.pop(); node !== undefined; node = pending.pop()) {
    if (isAlias(node) || !(isMap(node) || isSeq(node))) continue;
    const seen = new Set<string>();
    for (const item of node.items) {
      pending.push(isPair(item) ? item.value : item);
      if (!isPair(item) || !isScalar(item.key)) continue;
      const key = String(item.key.value);
      if (seen.has(key)) found.push({ at: item.key.range?.[0] ?? 0, key });
      seen.add(key);
    }
  }
  return found.sort((a, b) => a.at - b.at).map(({ at, key }) => `  line ${lines.linePos(at).line}: key "${key}" already set in map`);
}

/** The library's parser is recursive, and quick only with texts of a usual form: what is not is refused before it. */
function checkTokens(text: string): void {
  let tokens = 0;
  let flow = 0;
  let run = 0;
  for (const token of new Lexer().lex(text)) {
    if (++tokens > maxTokens) throw new Fault('too-large', `error converting YAML to JSON: more than ${maxTokens} tokens`);
    if (token === '[' || token === '{') flow++;
    else if (token === ']' || token === '}') flow--;
    // `- - -` on one line nests as well
    if (token === '-' || token === '?') run++;
    else if (token.trim() !== '') run = 0;
    if (flow > maxNesting || run > maxNesting) throw tooDeep();
  }
}

function toJson(document: Pick<Document, 'errors' | 'toJS'>): unknown {
  const [error] = document.errors;
  if (error !== undefined) {
    const line = error.linePos?.[0].line;
    const reason = error.message.split(/ at line|\n/)[0] ?? error.code;
    if (reason.startsWith('Maximum call stack')) throw tooDeep();
    throw new Fault('invalid', `error converting YAML to JSON: yaml: ${line === undefined ? '' : `line ${line}: `}${reason}`);
  }
  try {
    const value: unknown = document.toJS({ maxAliasCount: maxAliases });
    checkNesting(value);
    return value;
  } catch (cause) {
    if (cause instanceof RangeError) throw tooDeep();
    if (cause instanceof Fault) throw cause;
    throw new Fault('invalid', `error converting YAML to JSON: more than ${maxAliases} aliases`, { cause });
  }
}
