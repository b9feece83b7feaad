/**
 * YAML bodies as JSON values, read as Go's clients read them: `yes` and `on` are booleans, `0644` is octal,
 * dates stay texts. Aliases are bounded, so that a small text cannot become a huge object.
 */
import { type Document, type Tags, parseAllDocuments, parseDocument } from 'yaml';
import { Fault } from '#lib/errors.ts';

const maxAliases = 100;
/** Documents in one text. */
const maxDocuments = 10_000;

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
  return toJson(parseDocument(text, options));
}

/** Every document of `text`, empty ones left out. */
export function parseYamlAll(text: string): unknown[] {
  const documents = parseAllDocuments(text, options);
  if ('empty' in documents) return [];
  if (documents.length > maxDocuments) throw new Fault('too-large', `the text has more than ${maxDocuments} documents`);
  return [...documents].map((document) => toJson(document)).filter((value) => value !== null && value !== undefined);
}

/** Keys given twice, as strict decoding names them. */
export function yamlDuplicates(text: string): string[] {
  const document = parseDocument(text, { ...options, uniqueKeys: true });
  const duplicates = document.errors.filter((error) => error.code === 'DUPLICATE_KEY');
  return duplicates.map((error) => {
    const key = /^\s*["']?([^"':\s]+)/.exec(text.slice(error.pos[0]))?.[1] ?? '';
    return `  line ${error.linePos?.[0].line ?? 0}: key "${key}" already set in map`;
  });
}

function toJson(document: Pick<Document, 'errors' | 'toJS'>): unknown {
  const [error] = document.errors;
  if (error !== undefined) {
    const line = error.linePos?.[0].line;
    const reason = error.message.split(/ at line|\n/)[0] ?? error.code;
    throw new Fault('invalid', `error converting YAML to JSON: yaml: ${line === undefined ? '' : `line ${line}: `}${reason}`);
  }
  try {
    return document.toJS({ maxAliasCount: maxAliases }) as unknown;
  } catch (cause) {
    throw new Fault('invalid', `error converting YAML to JSON: more than ${maxAliases} aliases`, { cause });
  }
}
