/**
 * What the models of `@kubernetes/client-node` say: each class's description, and each field's
 * description and whether it must be present. Read from the declaration files, which need no running.
 */
import { readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';

export interface ModelField {
  doc: string;
  required: boolean;
}

export interface Model {
  doc: string;
  fields: Map<string, ModelField>;
}

const header = /export declare class (\w+) \{/;
const field = /(?: {4}\/\*\*\n((?: {4}\*[^\n]*\n)*?) {4}\*\/\n)? {4}'([^']+)'(\??): /g;

/** Class name -> model, for every declaration file in `directory`. */
export function readModels(directory: string): Map<string, Model> {
  const models = new Map<string, Model>();
  for (const file of readdirSync(directory)) {
    if (!/^[A-Z]\w*\.d\.ts$/.test(file)) continue;
    const text = readFileSync(join(directory, file), 'utf8');
    const start = header.exec(text);
    if (start === null) continue;
    const body = text.slice(start.index, text.indexOf('static readonly discriminator'));
    const fields = new Map<string, ModelField>();
    for (const [, doc, name, optional] of body.matchAll(field)) {
      fields.set(wireName(name ?? ''), { doc: clean(doc ?? ''), required: optional !== '?' });
    }
    models.set(start[1] ?? '', { doc: classDoc(text.slice(0, start.index)), fields });
  }
  return models;
}

/** The model's class for `core.v1.Event`: `CoreV1Event` where the plain `V1Event` would be ambiguous. */
export function findModel(models: Map<string, Model>, short: string): Model | undefined {
  const [group = '', version = '', name = ''] = short.split('.');
  const v = version.toUpperCase();
  const prefixed = `${group.charAt(0).toUpperCase()}${group.slice(1)}${v}${name}`;
  return models.get(prefixed) ?? models.get(`${v}${name}`);
}

function wireName(name: string): string {
  if (name.startsWith('x_kubernetes_')) return name.replaceAll('_', '-');
  if (name === 'ref' || name === 'schema') return name;
  return name.replace(/^_/, '');
}

function classDoc(before: string): string {
  const open = before.lastIndexOf('/**');
  const close = before.lastIndexOf('*/');
  if (open < 0 || close < open || before.slice(close + 2).trim() !== '') return '';
  return clean(before.slice(open + 3, close));
}

function clean(comment: string): string {
  const lines = comment.split('\n').map((line) => line.replace(/^\s*\* ?/, ''));
  return lines.join('\n').trim().replaceAll("\\'", "'").replaceAll('\\"', '"').replaceAll('*\\/', '*/');
}
