import { systemClock } from '#lib/clock.ts';
import { FakeContainers } from './fake.ts';
import { containersSuite } from './suite.ts';
import { openTestBed, whyNoContainers } from './testing.ts';

containersSuite('conmon and an OCI runtime', openTestBed, whyNoContainers());

containersSuite('fake', () =>
  Promise.resolve({
    containers: new FakeContainers({ clock: systemClock }),
    spec: (id, args, changes = {}) => ({ id, owner: 'test', rootfs: '/', process: { args, env: [], cwd: '/', user: { uid: 0, gid: 0 } }, ...changes }),
    end: () => Promise.resolve(),
  }),
);
