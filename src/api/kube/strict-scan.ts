/**
 * What strict decoding objects to in a JSON text: fields that the schema does not have, and fields given
 * twice. `JSON.parse` hides both, so the text itself is walked, after it was parsed once and found valid.
 */
import { maxNesting, tooDeep } from './nesting.ts';
import { type Field, type Message, findMessage } from './schema.ts';
import { isOpaque } from './special.ts';

/** Findings after this many are not listed. */
const maxFindings = 100;

/** What stands at a place: a message, a list or map of something, anything at all, or nothing that matters. */
type Cursor = { message: Message } | { items: Cursor } | { values: Cursor } | 'any' | 'skip';

/**
 * Findings in the order of the text: `unknown field "spec.foo"`, `duplicate field "spec.replicas"`.
 * @param message the schema; without one only duplicates are found
 */
export function strictFindings(text: string, message: Message | undefined): string[] {
  const scan = new Scan(text);
  scan.value(message === undefined ? 'any' : { message }, '', 0);
  return scan.findings;
}

class Scan {
  readonly findings: string[] = [];
  readonly #text: string;
  #at = 0;

  constructor(text: string) {
    this.#text = text;
  }

  value(cursor: Cursor, path: string, depth: number): void {
    if (depth > maxNesting) throw tooDeep();
    const next = this.#peek();
    if (next === '{') this.#object(cursor, path, depth);
    else if (next === '[') this.#list(cursor, path, depth);
    else if (next === '"') this.#string();
    else while (this.#at < this.#text.length && !',]} \t\r\n'.includes(this.#text.charAt(this.#at))) this.#at += 1;
  }

  #object(cursor: Cursor, path: string, depth: number): void {
    const seen = new Set<string>();
    this.#at += 1;
    while (this.#peek() !== '}') {
      if (this.#peek() === ',') this.#at += 1;
      this.#peek();
      const key = this.#string();
      this.#peek();
      this.#at += 1;
      const inner = path === '' ? key : `${path}.${key}`;
      if (cursor !== 'skip') {
        if (seen.has(key)) this.#find(`duplicate field "${inner}"`);
        else if (child(cursor, key) === undefined) this.#find(`unknown field "${inner}"`);
        seen.add(key);
      }
      this.value(child(cursor, key) ?? 'skip', inner, depth + 1);
    }
    this.#at += 1;
  }

  #list(cursor: Cursor, path: string, depth: number): void {
    const items = typeof cursor === 'object' && 'items' in cursor ? cursor.items : cursor === 'any' ? 'any' : 'skip';
    this.#at += 1;
    for (let index = 0; this.#peek() !== ']'; index += 1) {
      if (this.#peek() === ',') this.#at += 1;
      this.value(items, `${path}[${index}]`, depth + 1);
    }
    this.#at += 1;
  }

  #string(): string {
    const start = this.#at;
    let escaped = false;
    for (this.#at += 1; this.#text.charAt(this.#at) !== '"'; this.#at += 1) {
      if (this.#text.charAt(this.#at) !== '\\') continue;
      escaped = true;
      this.#at += 1;
    }
    this.#at += 1;
    const raw = this.#text.slice(start, this.#at);
    return escaped ? (JSON.parse(raw) as string) : raw.slice(1, -1);
  }

  #peek(): string {
    while (' \t\r\n'.includes(this.#text.charAt(this.#at)) && this.#at < this.#text.length) this.#at += 1;
    return this.#text.charAt(this.#at);
  }

  #find(text: string): void {
    if (this.findings.length < maxFindings) this.findings.push(text);
  }
}

function child(cursor: Cursor, key: string): Cursor | undefined {
  if (cursor === 'any' || cursor === 'skip') return cursor;
  if ('values' in cursor) return cursor.values;
  if ('items' in cursor) return 'skip';
  const field = cursor.message.fields.get(key);
  if (field !== undefined) return cursorOf(field);
  return cursor.message.isKind && (key === 'apiVersion' || key === 'kind') ? 'skip' : undefined;
}

function cursorOf(field: Field): Cursor {
  const message = isOpaque(field.type) ? undefined : findMessage(field.type);
  const inner: Cursor = message === undefined ? 'skip' : { message };
  if (field.map) return { values: inner };
  return field.repeated ? { items: inner } : inner;
}
