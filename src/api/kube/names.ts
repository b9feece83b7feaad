/**
 * The rules for names, label keys and label values. Each check gives the API's own texts for what is wrong,
 * none where the value is right.
 */
import type { Random } from '#lib/random.ts';

type Check = (value: string) => string[];

const dnsLabelShape = '[a-z0-9]([-a-z0-9]*[a-z0-9])?';
const dnsSubdomainShape = `${dnsLabelShape}(\\.${dnsLabelShape})*`;
const qualifiedShape = '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]';

/** An explanation with examples and the expression, as the API writes it (two spaces between examples and all). */
function shapeError(message: string, shape: string, ...examples: string[]): string {
  const shown = examples.map((example) => `'${example}'`).join(',  or ');
  const front = examples.length === 0 ? '' : `e.g. ${shown}, `;
  return `${message} (${front}regex used for validation is '${shape}')`;
}

const expressions = new Map<string, RegExp>();

function matches(shape: string, value: string): boolean {
  let expression = expressions.get(shape);
  if (!expression) expressions.set(shape, (expression = new RegExp(`^${shape}$`)));
  return expression.test(value);
}

/** The API counts some names in characters and some in bytes; right ones are ASCII, where both are the same. */
type Unit = 'characters' | 'bytes';

function tooLong(limit: number, unit: Unit): string {
  return `must be no more than ${limit} ${unit}`;
}

function checked(value: string, limit: number, shape: string, error: string, unit: Unit = 'characters'): string[] {
  const errors = value.length > limit ? [tooLong(limit, unit)] : [];
  // A name over its limit is not matched: the expressions are cheap, but not on a megabyte.
  if (value.length > 4096 || !matches(shape, value)) errors.push(error);
  return errors;
}

/** Lower-case letters, digits and `-`, at most 63 characters. */
export const dnsLabelErrors: Check = (value) => {
  const dotted = value.length <= 4096 && value.includes('.') && matches(dnsSubdomainShape, value);
  return checked(value, 63, dnsLabelShape, dotted ? 'must not contain dots' : shapeError(
    "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character",
    dnsLabelShape, 'my-name', '123-abc',
  ));
};

/** DNS labels joined by dots, at most 253 characters. */
export const dnsSubdomainErrors: Check = (value) =>
  checked(value, 253, dnsSubdomainShape, shapeError(
    "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character",
    dnsSubdomainShape, 'example.com',
  ));

const dns1035Shape = '[a-z]([-a-z0-9]*[a-z0-9])?';

/** A DNS label that starts with a letter: names of services. */
export const dns1035LabelErrors: Check = (value) =>
  checked(value, 63, dns1035Shape, shapeError(
    "a DNS-1035 label must consist of lower case alphanumeric characters or '-', start with an alphabetic character, and end with an alphanumeric character",
    dns1035Shape, 'my-name', 'abc-123',
  ));

/** Names that only have to be usable in a path: RBAC kinds. */
export const pathSegmentErrors: Check = (value) => {
  if (value === '.' || value === '..') return [`may not be '${value}'`];
  return ['/', '%'].filter((character) => value.includes(character)).map((character) => `may not contain '${character}'`);
};

/** `[prefix/]name`: label and annotation keys, resource names, finalizers. */
export const qualifiedNameErrors: Check = (value) => {
  const rule = shapeError(
    "must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    qualifiedShape, 'MyName', 'my.name', '123-abc',
  );
  const parts = value.split('/');
  if (parts.length > 2) {
    const full = "a qualified name must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character";
    return [`${shapeError(full, qualifiedShape, 'MyName', 'my.name', '123-abc')} with an optional DNS subdomain prefix and '/' (e.g. 'example.com/MyName')`];
  }
  const errors: string[] = [];
  const [prefix] = parts;
  if (parts.length === 2 && prefix !== undefined) {
    if (prefix === '') errors.push('prefix part must be non-empty');
    else errors.push(...dnsSubdomainErrors(prefix).map((error) => `prefix part ${error}`));
  }
  const name = parts.at(-1) ?? '';
  if (name === '') errors.push('name part must be non-empty');
  else if (name.length > 63) errors.push(`name part ${tooLong(63, 'bytes')}`);
  if (name.length <= 4096 && !matches(qualifiedShape, name)) errors.push(`name part ${rule}`);
  return errors;
};

export const labelValueErrors: Check = (value) =>
  checked(value, 63, `(${qualifiedShape})?`, shapeError(
    "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character",
    `(${qualifiedShape})?`, 'MyValue', 'my_value', '12345',
  ), 'bytes');

/** Keys of config maps and secrets, which become file names. */
export const configKeyErrors: Check = (value) => {
  const shape = '[-._a-zA-Z0-9]+';
  const errors = checked(value, 253, shape, shapeError(
    "a valid config key must consist of alphanumeric characters, '-', '_' or '.'", shape, 'key.name', 'KEY_NAME', 'key-name',
  ));
  if (value === '.') errors.push("must not be '.'");
  else if (value === '..') errors.push("must not be '..'");
  else if (value.startsWith('..')) errors.push("must not start with '..'");
  return errors;
};

/** Names of environment variables: printable ASCII but `=`. */
export const envVarNameErrors: Check = (value) => {
  if (value === '') return ['environment variable name must be non-empty'];
  return /^[ -<>-~]+$/.test(value) ? [] : ["a valid environment variable name must consist only of printable ASCII characters other than '='"];
};

/** Names of ports: at most 15 characters, at least one letter. */
export const portNameErrors: Check = (value) => {
  const errors: string[] = [];
  if (value.length > 15) errors.push('must be no more than 15 characters');
  if (!/^[-a-z0-9]+$/.test(value)) errors.push("must contain only alpha-numeric characters (a-z, 0-9), and hyphens (-)");
  if (!/[a-z]/.test(value)) errors.push('must contain at least one letter (a-z)');
  if (value.includes('--')) errors.push('must not contain consecutive hyphens');
  if (value.startsWith('-') || value.endsWith('-')) errors.push('must not begin or end with a hyphen');
  return errors;
};

export function portNumberErrors(value: number): string[] {
  return Number.isInteger(value) && value >= 1 && value <= 65535 ? [] : ['must be between 1 and 65535, inclusive'];
}

/** Letters and digits that make no words. */
const suffixAlphabet = 'bcdfghjklmnpqrstvwxz2456789';
const suffixLength = 5;
const longestGeneratedName = 63;

/** `base` and five random characters, within the length of a label. */
export function generatedName(base: string, random: Random): string {
  let suffix = '';
  for (let i = 0; i < suffixLength; i++) suffix += suffixAlphabet[random.int(suffixAlphabet.length)];
  return base.slice(0, longestGeneratedName - suffixLength) + suffix;
}
