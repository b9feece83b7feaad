/** Events: what happened to an object. Written once as the core kind, shown as the events.k8s.io kind too. */
import { type FieldError, fieldError } from '#api/kube/field-errors.ts';
import { humanDuration, millisOfTime } from '#api/kube/time.ts';
import type { Event } from '#api/kube/types.ts';
import { column, nameColumn, nameOf, wideColumn } from '../columns.ts';
import { defineResource } from '../resource.ts';
import type { Cell, Column, RowContext } from '../types.ts';

export const eventColumns: readonly Column[] = [
  column('Last Seen', 'How long ago it last happened.'),
  column('Type', 'Normal or Warning.'),
  column('Reason', 'Why, in one word.'),
  column('Object', 'What it happened to.'),
  wideColumn('Subobject', 'The part of the object.'),
  wideColumn('Source', 'Who reports it.'),
  column('Message', 'What happened.'),
  wideColumn('First Seen', 'How long ago it first happened.'),
  wideColumn('Count', 'How often it happened.'),
  { ...nameColumn, priority: 1 },
];

export function eventRow(event: Event, context: RowContext): Cell[] {
  const since = (time: string | undefined): string | undefined =>
    time === undefined ? undefined : humanDuration(context.now - millisOfTime(time));
  const first = since(event.firstTimestamp) ?? since(event.eventTime) ?? '<unknown>';
  const last = since(event.series?.lastObservedTime) ?? since(event.lastTimestamp) ?? first;
  const { kind = '', name, fieldPath } = event.involvedObject;
  return [
    last, event.type ?? '', event.reason ?? '', name ? `${kind.toLowerCase()}/${name}` : kind.toLowerCase(), fieldPath ?? '',
    sourceOf(event), (event.message ?? '').trim(), first, event.series?.count ?? (event.count || 1), nameOf(event),
  ];
}

function sourceOf(event: Event): string {
  const component = event.source?.component || event.reportingComponent || '';
  const host = event.source?.host || event.reportingInstance || '';
  return [component, host].filter((text) => text !== '').join(', ');
}

export const events = defineResource<Event>({
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  allowCreateOnUpdate: true,
  storage: 'events',
  columns: eventColumns,
  row: eventRow,
  validate: validateEvent,
  selectableFields: eventFields,
});

export function validateEvent(event: Event): FieldError[] {
  const { namespace = '' } = event.involvedObject;
  const own = event.metadata.namespace ?? '';
  const matches = namespace === '' ? own === 'default' || own === 'kube-system' : own === namespace;
  return matches ? [] : [fieldError.invalid('involvedObject.namespace', namespace, 'does not match event.namespace')];
}

export function eventFields(event: Event): Record<string, string> {
  const object = event.involvedObject;
  return {
    'involvedObject.kind': object.kind ?? '',
    'involvedObject.namespace': object.namespace ?? '',
    'involvedObject.name': object.name ?? '',
    'involvedObject.uid': object.uid ?? '',
    'involvedObject.apiVersion': object.apiVersion ?? '',
    'involvedObject.resourceVersion': object.resourceVersion ?? '',
    'involvedObject.fieldPath': object.fieldPath ?? '',
    reason: event.reason ?? '',
    reportingComponent: event.reportingComponent ?? '',
    source: event.source?.component || event.reportingComponent || '',
    type: event.type ?? '',
  };
}
