import { Fault } from '#lib/errors.ts';
import type { AskedNetwork, NetworkDriver } from '../driver.ts';
import type { Network } from '../types.ts';

/** `host`, whose containers use the host's namespace, and `none`, whose containers keep theirs with nothing but loopback in it. */
export function driverWithoutEndpoints(name: 'host' | 'none'): NetworkDriver {
  return {
    name,
    predefined: true,
    describe({ id, spec, predefined, createdAt }: AskedNetwork): Network {
      if (!predefined) throw new Fault('invalid', `only one instance of "${name}" network is allowed`);
      return {
        id,
        name: spec.name,
        driver: name,
        predefined,
        internal: false,
        attachable: false,
        enableIPv6: false,
        createdAt,
        ipam: { driver: 'default', config: [], options: {} },
        options: {},
        labels: {},
      };
    },
    raise() {},
    present: () => false,
    contested: () => false,
    lower() {},
    elements: () => [],
  };
}
