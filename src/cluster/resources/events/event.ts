/** The events.k8s.io form of the core Event: the same facts, other names. */
import type { Event, EventsEvent, KubeObject } from '#api/kube/types.ts';
import { eventColumns, eventFields, eventRow, events as coreEvents, validateEvent } from '../core/event.ts';
import { defineResource } from '../resource.ts';

/** core name -> events.k8s.io name, for fields that only changed their name. */
const renamed: Readonly<Record<string, string>> = {
  involvedObject: 'regarding',
  message: 'note',
  reportingComponent: 'reportingController',
  source: 'deprecatedSource',
  firstTimestamp: 'deprecatedFirstTimestamp',
  lastTimestamp: 'deprecatedLastTimestamp',
  count: 'deprecatedCount',
};
const original = Object.fromEntries(Object.entries(renamed).map(([core, name]) => [name, core]));

function rename(object: object, names: Readonly<Record<string, string>>): { [key: string]: unknown } {
  return Object.fromEntries(Object.entries(object).map(([key, value]) => [names[key] ?? key, value as unknown]));
}

function toCore(event: EventsEvent): Event {
  return { involvedObject: {}, ...rename(event, original), apiVersion: 'v1', kind: 'Event' } as unknown as Event;
}

function fromCore(stored: KubeObject): EventsEvent {
  return { ...rename(stored, renamed), apiVersion: 'events.k8s.io/v1', kind: 'Event' } as unknown as EventsEvent;
}

export const eventsEvents = defineResource<EventsEvent>({
  group: 'events.k8s.io',
  kind: 'Event',
  plural: 'events',
  shortNames: ['ev'],
  allowCreateOnUpdate: true,
  storage: coreEvents.storage,
  convert: { toStored: toCore, fromStored: fromCore },
  columns: eventColumns,
  row: (event, context) => eventRow(toCore(event), context),
  validate: (event) => validateEvent(toCore(event)),
  selectableFields: (event) => {
    const fields = eventFields(toCore(event));
    return Object.fromEntries(Object.entries(fields).map(([key, value]) =>
      [key.replace(/^involvedObject/, 'regarding').replace(/^reportingComponent$/, 'reportingController'), value]));
  },
});
