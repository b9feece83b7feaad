/** The filters of GET /events: values of one key are alternatives, keys must all hold. */
import type { Filters } from '#api/docker/common.ts';
import type { EventMessage } from '#api/docker/events.ts';
import { labelMatches } from '../filters.ts';

type Test = (event: EventMessage, value: string) => boolean;

function actor(type: string): Test {
  return (event, value) => {
    if (event.Type === type) return event.Actor.ID.startsWith(value) || event.Actor.Attributes['name'] === value.replace(/^\//, '');
    return event.Actor.Attributes[type] === value;
  };
}

const tests: Record<string, Test> = {
  type: (event, value) => event.Type === value,
  // `exec_create: sh` is found by `exec_create`
  event: (event, value) => event.Action === value || event.Action.startsWith(`${value}: `) || event.Action.split(':')[0] === value,
  scope: (event, value) => event.scope === value,
  label: (event, value) => labelMatches(event.Actor.Attributes, value),
  container: actor('container'),
  network: actor('network'),
  volume: actor('volume'),
  daemon: actor('daemon'),
  image: (event, value) => {
    const names = event.Type === 'image' ? [event.Actor.ID, event.Actor.Attributes['name'] ?? ''] : [event.Actor.Attributes['image'] ?? ''];
    return names.some((name) => name === value || name.replace(/:[^/:]+$/, '') === value);
  },
};

export function eventMatcher(filters: Filters): (event: EventMessage) => boolean {
  const wanted = Object.entries(filters).filter(([, values]) => values.length > 0);
  return (event) => wanted.every(([key, values]) => {
    const test = tests[key];
    // kinds of objects that Gantry has none of match nothing
    return test !== undefined && values.some((value) => test(event, value));
  });
}
