/** Parts of table rows that many kinds share. */
import { formatLabelSelector, selectorOfObject } from '#api/kube/labels.ts';
import { humanDuration, millisOfTime } from '#api/kube/time.ts';
import type { Container, KubeObject, LabelSelector } from '#api/kube/types.ts';
import type { Cell, Column, RowContext } from './types.ts';

type ColumnType = Column['type'];

export function column(name: string, description: string, type: ColumnType = 'string'): Column {
  return { name, type, format: '', description, priority: 0 };
}

/** Shown with `-o wide` only. */
export function wideColumn(name: string, description: string, type: ColumnType = 'string'): Column {
  return { ...column(name, description, type), priority: 1 };
}

export const nameColumn: Column = {
  name: 'Name', type: 'string', format: 'name', priority: 0,
  description: 'Name is unique within a namespace; it cannot be changed.',
};

export const ageColumn: Column = column('Age', 'How long ago the object was created.');

/** Kinds without columns of their own show when they were created. */
export const defaultColumns: readonly Column[] = [
  nameColumn,
  column('Created At', 'When the object was created.', 'date'),
];

export function defaultRow(object: KubeObject): Cell[] {
  return [object.metadata.name ?? '', object.metadata.creationTimestamp ?? ''];
}

export function nameOf(object: KubeObject): string {
  return object.metadata.name ?? '';
}

export function ageOf(object: KubeObject, context: RowContext): string {
  return sinceTime(object.metadata.creationTimestamp, context);
}

/** How long ago a Time or MicroTime was: `5m`; `<unknown>` where there is none. */
export function sinceTime(time: string | undefined, { now }: RowContext): string {
  return time === undefined ? '<unknown>' : humanDuration(now - millisOfTime(time));
}

export function orNone(text: string | undefined): string {
  return text === undefined || text === '' ? '<none>' : text;
}

/** `a=b,c=d`. */
export function labelsCell(labels: { [key: string]: string } | undefined): string {
  return orNone(Object.keys(labels ?? {}).sort().map((key) => `${key}=${labels?.[key]}`).join(','));
}

export function selectorCell(selector: LabelSelector | undefined): string {
  const parsed = selectorOfObject(selector);
  return parsed === undefined ? '<none>' : orNone(formatLabelSelector(parsed));
}

export function containerNames(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map((container) => container.name).join(',');
}

export function containerImages(containers: readonly Container[] | undefined): string {
  return (containers ?? []).map((container) => container.image ?? '').join(',');
}

/** The first three, and how many more there are. */
export function listWithMore(items: readonly string[], empty: string): string {
  if (items.length === 0) return empty;
  const shown = items.slice(0, 3).join(',');
  return items.length > 3 ? `${shown} + ${items.length - 3} more...` : shown;
}

/** `address:port`, with brackets around IPv6. */
export function hostPort(address: string, port: number): string {
  return address.includes(':') ? `[${address}]:${port}` : `${address}:${port}`;
}
